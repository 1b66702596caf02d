"""Who may read or write what: the one place that every handler asks before it touches a person's data.

An owner may do everything with what is theirs; whoever a knowledge base is shared with may read it and the files in it.
An administrator is a person like any other here, unless ENABLE_ADMIN_DATA_ACCESS, a measured setting, says otherwise.

Names of collections in the vector database say whose they are, so that nothing has to be looked up that could be
missing: `user-memory-<user>`, `file-<file>`, `<knowledge base>`, and `<user>-<hash>` for pages and texts (see
`own_collection`)."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterable
from typing import Any

from fastapi import HTTPException
from open_webui.models.chats import Chats
from open_webui.models.files import Files
from open_webui.models.knowledge import Knowledges
from open_webui.models.users import Users
from open_webui.tee.admins import may_see_data
from open_webui.utils.access_control import has_access

log = logging.getLogger(__name__)

NOT_FOUND = "We could not find what you're looking for :/"  # upstream's sentence: what is not yours does not exist
#: Pages, searches and texts that earlier versions kept under the SHA-256 of their address or content. Whoever asks must
#: know what was hashed. They can be read as before, and nothing is written to them any more.
_UNOWNED = re.compile(r"[0-9a-f]{63,64}|web-search-[0-9a-f]{1,64}")


def owns(user: Any, owner: str | None) -> bool:
    """Whether `owner` is this user's id (or the user an administrator who may see others' data)."""
    return owner is not None and (user.id == owner or may_see_data(user))


def may_read_knowledge(user: Any, knowledge: Any) -> bool:
    """Its owner, and whoever it is shared with."""
    return knowledge is not None and (
        owns(user, knowledge.user_id) or has_access(user.id, "read", knowledge.access_control)
    )


def may_write_knowledge(user: Any, knowledge: Any) -> bool:
    """Its owner, and whoever it is shared with to be changed."""
    return knowledge is not None and (
        owns(user, knowledge.user_id) or has_access(user.id, "write", knowledge.access_control)
    )


def readable_knowledge(user: Any, right: str) -> list[Any]:
    """Every knowledge base that this user may read or write (`right`), as upstream lists it."""
    if may_see_data(user):
        return list(Knowledges.get_knowledge_bases())
    return list(Knowledges.get_knowledge_bases_by_user_id(user.id, right))


def file_ids(knowledge: Any) -> set[str]:
    """The files in this knowledge base."""
    return set((knowledge.data or {}).get("file_ids", []))


def may_read_file(user: Any, file_id: str) -> bool:
    """Their own file, or one in a knowledge base that they may read."""
    file = Files.get_file_by_id(file_id)
    if file is None:
        return False
    return owns(user, file.user_id) or any(file_id in file_ids(base) for base in readable_knowledge(user, "read"))


def own_collection(user: Any, content: str) -> str:
    """The collection for a page, a search or a text of this user's: at most 63 characters, as Chroma demands."""
    return f"{user.id}-{hashlib.sha256(content.encode()).hexdigest()}"[:63]


def may_read_collection(user: Any, name: str) -> bool:
    """Theirs by its name, a file or knowledge base that they may read, or an unowned one whose name they know."""
    if name.startswith("user-memory-"):
        return name == f"user-memory-{user.id}"
    if name.startswith("file-"):
        return may_read_file(user, name.removeprefix("file-"))
    if name.startswith(f"{user.id}-") or _UNOWNED.fullmatch(name):
        return True
    return may_read_knowledge(user, Knowledges.get_knowledge_by_id(name))


def may_write_collection(user: Any, name: str) -> bool:
    """Memories have handlers of their own and are never written by name."""
    if name.startswith("user-memory-"):
        return False
    if name.startswith("file-"):
        file = Files.get_file_by_id(name.removeprefix("file-"))
        return file is not None and owns(user, file.user_id)
    if name.startswith(f"{user.id}-"):
        return True
    return may_write_knowledge(user, Knowledges.get_knowledge_by_id(name))


def require(allowed: bool) -> None:
    """Raise HTTPException 404, the same for what is not theirs as for what does not exist."""
    if not allowed:
        raise HTTPException(404, NOT_FOUND)


def require_collections(user: Any, names: Iterable[str]) -> None:
    """Raise HTTPException 404 unless the user may read every one of these collections."""
    for name in names:
        require(may_read_collection(user, name))


def require_file(user: Any, file_id: str, collection: str | None = None, content: str | None = None) -> None:
    """For processing a file: theirs if its content changes, at least readable if it is only put into a collection."""
    file = Files.get_file_by_id(file_id)
    if collection is None or content is not None:
        require(file is not None and owns(user, file.user_id))
    else:
        require(may_read_file(user, file_id))
    if collection is not None:
        require(may_write_collection(user, collection))


def stored_files(user: Any, files: Iterable[Any]) -> list[Any]:
    """The files as they are stored, whatever a client says about them; HTTPException 404 for one they may not read."""
    found = []
    for given in files:
        require(may_read_file(user, given.id))
        found.append(Files.get_file_by_id(given.id))
    return found


def require_member(user: Any, knowledge: Any, file_id: str) -> bool:
    """HTTPException 404 unless the file is in this knowledge base. Whether the file itself is theirs to delete."""
    require(file_id in file_ids(knowledge))
    file = Files.get_file_by_id(file_id)
    return file is not None and owns(user, file.user_id)


def chat_files(items: Iterable[Any] | None, *readers: Any) -> list[Any]:
    """Of the files that a chat or a model names, those that one of `readers` may read; the others are left out."""
    kept = []
    for item in items or []:
        if any(reader is not None and _may_read_item(reader, item) for reader in readers):
            kept.append(item)
        else:
            log.warning("A file of a chat was left out: it is not there, or not for this user.")
    return kept


def _may_read_item(user: Any, item: Any) -> bool:
    """Every name in `item` by which upstream's retrieval could reach stored content must be readable."""
    if not isinstance(item, dict):
        return False
    if item.get("docs") or item.get("context") == "full":
        return True  # it brings its content with it
    data, identifier = item.get("data"), item.get("id")
    collections = [*(item.get("collection_names") or []), item.get("collection_name") or ""]
    files = [
        name for name in (data.get("file_ids") or [] if isinstance(data, dict) else []) if Files.get_file_by_id(name)
    ]
    if identifier and (item.get("type") == "collection" or item.get("legacy")):
        collections.append(identifier)
    if identifier and item.get("type") != "collection" and (Files.get_file_by_id(identifier) or not any(collections)):
        files.append(identifier)
    return all(may_read_collection(user, name) for name in collections if name) and all(
        may_read_file(user, name) for name in files
    )


def model_owner(model: Any) -> Any:
    """Who made a workspace model: the files that they attached are read with their rights. None for a client's
    model."""
    owner = ((model.get("info") or {}).get("user_id")) if not model.get("direct") else None
    return Users.get_user_by_id(owner) if owner else None


def require_chat(user: Any, chat_id: str | None) -> None:
    """HTTPException 404 for a chat of somebody else's. A temporary chat has an id that is not stored."""
    chat = Chats.get_chat_by_id(chat_id) if chat_id else None
    require(chat is None or chat.user_id == user.id)


def own_chat(user_id: str | None, chat_id: str | None) -> str | None:
    """This chat's id if the user may write into it (it is theirs, or not stored), else None."""
    chat = Chats.get_chat_by_id(chat_id) if chat_id else None
    return chat_id if chat is None or chat.user_id == user_id else None


def own_session(user_id: str | None, session_id: str | None, sessions: Any) -> str | None:
    """This socket's id if the user is connected by it, else None. `sessions`: connected users by socket.

    Whoever sends must not send to None: socket.io takes that for everybody.
    """
    connected = sessions.get(session_id) if session_id else None
    return session_id if connected and connected["id"] == user_id else None
