"""Ways in which private text leaves the pages beside the message box: sidebar, settings, workspace, ratings."""

from __future__ import annotations

import base64
import json
from typing import Any
from uuid import uuid4

from playwright.sync_api import Page

from tests.browser.pages import home, stored_chat, token, wait_for_round
from tests.browser.running import Server
from tests.browser.ways import SECRET, Way

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def sidebar(page: Page, server: Server) -> None:
    """The start page with its sidebar open."""
    page.add_init_script("localStorage.sidebar = 'true'")
    home(page, server)


def settings(page: Page, server: Server, tab: str) -> None:
    home(page, server)
    page.keyboard.press("Control+.")
    page.locator("#settings-tabs-container").get_by_role("button", name=tab).click()


def old_chat(page: Page, server: Server, **options: Any) -> str:
    """Open a chat that the server holds already."""
    sidebar(page, server)
    chat = stored_chat(page, server, **options)
    page.goto(f"{server.url}/c/{chat}")
    wait_for_round(page)
    return chat


def by_search(page: Page, server: Server) -> None:
    sidebar(page, server)
    page.locator("#chat-search input").click()
    page.keyboard.type(SECRET)


def by_memory(page: Page, server: Server) -> None:
    settings(page, server, "Personalization")
    page.get_by_role("button", name="Manage").click()
    page.get_by_role("button", name="Add Memory").click()
    page.get_by_placeholder("Enter a detail about yourself").fill(SECRET)
    page.get_by_role("button", name="Add", exact=True).click()


def by_system_prompt(page: Page, server: Server) -> None:
    settings(page, server, "General")
    page.locator("div:has(> div:text-is('System Prompt')) > textarea").fill(SECRET)
    page.get_by_role("button", name="Save", exact=True).click()


def by_background_picture(page: Page, server: Server) -> None:
    settings(page, server, "Interface")
    picture: Any = {"name": "home.png", "mimeType": "image/png", "buffer": PIXEL}
    page.locator("form:has-text('Landing Page Mode') > input[type=file]").set_input_files(picture)


def by_profile(page: Page, server: Server) -> None:
    """The name goes with the profile, the webhook's address, which is a secret, with the settings."""
    settings(page, server, "Account")
    page.locator("div:has(> div:text-is('Notification Webhook')) input").fill("https://hooks.example/heron-4711")
    page.locator("div:has(> div:text-is('Name')) input").fill(SECRET)
    page.get_by_role("button", name="Save", exact=True).click()


def by_import(page: Page, server: Server) -> None:
    settings(page, server, "Chats")
    file: Any = {
        "name": "chats.json",
        "mimeType": "application/json",
        "buffer": json.dumps([{"chat": {"title": SECRET, "history": {"messages": {}}}}]).encode(),
    }
    page.locator("#chat-import-input").set_input_files(file)


def by_renaming(page: Page, server: Server) -> None:
    chat = old_chat(page, server)
    page.locator(f"#sidebar a[href='/c/{chat}']").dblclick()
    title = page.locator(f"#chat-title-input-{chat}")
    title.fill(SECRET)
    title.locator("xpath=ancestor::div[@draggable][1]").get_by_role("button").first.click()


def by_tag(page: Page, server: Server) -> None:
    old_chat(page, server)
    page.locator("#chat-context-menu-button").click()
    page.get_by_role("button", name="Add Tag").click()
    page.get_by_placeholder("Add a tag").fill(SECRET)
    page.keyboard.press("Enter")


def by_folder(page: Page, server: Server) -> None:
    sidebar(page, server)
    name = f"folder {uuid4().hex[:6]}"
    page.request.post(f"{server.url}/api/v1/folders/", data={"name": name}, headers=token(page))
    page.reload()
    wait_for_round(page)
    page.locator("button[id^=folder-]", has_text=name).dblclick()
    page.locator("input[id^=folder-]").fill(SECRET)
    page.keyboard.press("Enter")


def by_rating(page: Page, server: Server) -> None:
    """A rating carries the whole chat; the page asks for its tags besides."""
    old_chat(page, server, question_text=SECRET)
    page.locator("button:has(path[d^='M14 9V5'])").last.click()


def by_merging(page: Page, server: Server) -> None:
    """Merge the answers of two models: question and answers go to a third (MoA)."""
    old_chat(page, server, question_text=SECRET, answers=2)
    page.locator("#merge-response-button").click()


def by_document(page: Page, server: Server) -> None:
    """Download a chat as PDF: the server makes it from what the page sends."""
    old_chat(page, server, question_text=SECRET)
    page.locator("#chat-context-menu-button").click()
    page.get_by_role("menuitem", name="Download").hover()
    page.get_by_role("menuitem", name="PDF document").click()


def by_prompt(page: Page, server: Server) -> None:
    home(page, server)
    page.goto(f"{server.url}/workspace/prompts/create")
    page.get_by_placeholder("Title").fill("Mine")
    page.get_by_placeholder("Write a summary").fill(SECRET)
    page.get_by_role("button", name="Save & Create").click()


def by_knowledge(page: Page, server: Server) -> None:
    home(page, server)
    page.goto(f"{server.url}/workspace/knowledge/create")
    page.get_by_placeholder("Name your knowledge base").fill("Mine")
    page.get_by_placeholder("Describe your knowledge base").fill(SECRET)
    page.get_by_role("button", name="Create Knowledge").click()


def by_tool(page: Page, server: Server) -> None:
    """A tool's code goes to the server to be formatted before it is saved."""
    home(page, server)
    page.goto(f"{server.url}/workspace/tools/create")
    page.get_by_placeholder("Tool Name").fill("Mine")
    page.get_by_placeholder("Tool Description").fill(SECRET)
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("button", name="Confirm").click()


def by_model(page: Page, server: Server) -> None:
    home(page, server)
    page.goto(f"{server.url}/workspace/models/create")
    page.get_by_placeholder("Model Name").fill("Mine")
    page.locator("select[placeholder^='Select a base model']").select_option(index=1)
    page.get_by_placeholder("Write your model system prompt").fill(SECRET)
    page.get_by_role("button", name="Save & Create").click()


WAYS: dict[str, Way] = {
    name.removeprefix("by_"): way for name, way in list(globals().items()) if name.startswith("by_")
}
