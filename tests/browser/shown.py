"""Files of the service that a page shows: a picture and a PDF, uploaded and put into the page as upstream does."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
#: A page that says HERON, in red on white; ACTION is what it does as it is opened.
PDF = """%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R/OpenAction ACTION>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>endobj
4 0 obj<</Length 57>>stream
1 0 0 rg 0 0 300 100 re f BT /F1 40 Tf 50 130 Td (HERON) Tj ET
endstream endobj
5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj
trailer<</Root 1 0 R>>
"""


def shown_files(page: Page, action: str = "[3 0 R/Fit]") -> Any:
    """Upload a picture and a PDF and show them: the picture's width, how the addresses of both begin, and whether the
    browser's viewer shows the PDF."""
    found = page.evaluate(
        """async ([pixel, pdf]) => {
            const headers = {Authorization: `Bearer ${localStorage.token}`};
            const upload = async (content, name, type) => {
                const form = new FormData();
                form.append('file', new File([content], name, {type}));
                const sent = await fetch('/api/v1/files/?process=false', {method: 'POST', headers, body: form});
                return `/api/v1/files/${(await sent.json()).id}/content`;
            };
            const bytes = Uint8Array.from(atob(pixel), (char) => char.charCodeAt(0));
            const image = document.createElement('img');
            const frame = document.createElement('iframe');
            frame.id = 'shown-pdf';
            frame.style = 'position: fixed; inset: 50px; width: 640px; height: 480px; z-index: 10000';
            document.body.append(image, frame);
            const both = [image, frame].map((element) => new Promise((resolve) => (element.onload = resolve)));
            image.src = await upload(bytes, 'heron.png', 'image/png');
            frame.src = await upload(pdf, 'heron.pdf', 'application/pdf');
            await Promise.all(both);
            return [image.naturalWidth, image.src.slice(0, 5), frame.src.slice(0, 5)];
        }""",
        [PIXEL, PDF.replace("ACTION", action)],
    )
    page.wait_for_timeout(500)
    return [*found, any(frame.url.startswith("chrome-extension:") for frame in page.frames)]
