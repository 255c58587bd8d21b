"""The short forms that the file may be written in, brought into their long form."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Any, Final

from graphgw.config.shape_balance import shape_balance
from graphgw.config.shape_route import shape_route, shape_sides
from graphgw.errors import Problem
from graphgw.sources.settings import ServiceSettings

if TYPE_CHECKING:
    from pathlib import Path

    from graphgw.config.read_yaml import SettingPath, YAMLValues

__all__ = ["Shape"]

_NAMED: Final = {
    "subgraphs": ("subgraphs",),
    "services": ("services",),
    "routes": ("routes",),
    "variants": ("variants",),
    "dev": ("dev", "processes"),
}
"""Lists that the file writes as mappings by name, and where it has them."""


class Shape:
    """The long form of a file's values, and the way back to the file's places.

    ``problems`` are what was wrong with the short form; where there are some, the long
    form is not to be used.
    """

    def __init__(self, values: YAMLValues, folder: Path) -> None:
        self.problems: list[Problem] = []
        self._values = values
        self._folder = folder
        self._names: dict[str, list[str]] = {}
        given = {k: v for k, v in values.data.items() if v is not None}
        self.data = self._whole(given)

    def path(self, location: SettingPath) -> SettingPath:
        """Return the file's path for a place in the long form."""
        head = location[0] if location else None
        if not isinstance(head, str) or head not in _NAMED:
            return self._with_names(location)
        if len(location) == 1:
            return _NAMED[head]
        name = self._names[head][int(location[1])]
        return self._with_names((*_NAMED[head], name, *location[2:]))

    def _with_names(self, path: SettingPath) -> SettingPath:
        """Name the pair where the settings keep pairs and the file has names."""
        held = self._values.data
        for index, part in enumerate(path):
            if isinstance(held, dict) and isinstance(part, int):
                return (*path[:index], list(held)[part])
            try:
                held = held[part]
            except (KeyError, IndexError, TypeError):
                break
        return path

    def _whole(self, data: dict[str, Any]) -> dict[str, Any]:
        if "dev" in data:
            data["dev"] = self._processes(data["dev"])
        for key in _NAMED:
            if key in data:
                data[key] = self._list(key, data[key])
        if isinstance(data.get("server"), dict):
            data["server"] = self._server(data["server"])
        if isinstance(data.get("auth"), dict):
            data["auth"] = self._auth(data["auth"])
        if "supergraph" in data:
            data["supergraph"] = self._supergraph(data["supergraph"])
        if isinstance(data.get("warm_up"), dict):
            data["warm_up"] = self._warm_up(dict(data["warm_up"]))
        return data

    def _report(self, path: SettingPath, message: str, mend: str) -> None:
        self.problems.append(Problem(message, self._values.where(path), mend))

    # Mappings by name

    def _processes(self, dev: Any) -> Any:
        """Return ``dev.processes``, the one thing that ``dev`` holds."""
        if not isinstance(dev, dict):
            self._report(("dev",), "must hold settings by name", "write dev.processes")
            return {}
        for key in dev:
            if key != "processes":
                mend = "the one that is known is: processes"
                self._report(("dev", key), f'there is no setting "{key}"', mend)
        return dev.get("processes")

    def _list(self, key: str, items: Any) -> list[Any]:
        if items is None:
            return []
        if not isinstance(items, dict):
            example = {"dev": "NAME: {command: ...}"}.get(key, "NAME: ...")
            mend = f'write each under its name, as in "{example}"'
            self._report(_NAMED[key], "must hold them by name", mend)
            return []
        if key == "subgraphs":  # a variable that is not set leaves one out
            items = {name: item for name, item in items.items() if item is not None}
        self._names[key] = list(items)
        shape = {
            "subgraphs": self._subgraph,
            "services": self._service,
            "routes": self._route,
            "variants": self._variant,
            "dev": self._process,
        }
        return [self._item(key, item, shape[key]) for item in items.items()]

    def _item(self, key: str, item: tuple[str, Any], shape: Any) -> Any:
        name, value = item
        path = (*_NAMED[key], name)
        if not name:
            self._report(path, "this has no name", "give it one")
        elif isinstance(value, dict) and "name" in value:
            mend = "remove it: the name stands above"
            self._report((*path, "name"), "the name is there twice", mend)
        return shape(name, value)

    def _subgraph(self, name: str, value: Any) -> Any:
        if isinstance(value, str):
            value = {"url" if "://" in value else "python": value}
        if not isinstance(value, dict):
            return value
        item = {"name": name, **value}
        if isinstance(item.get("headers"), dict):
            item["headers"] = dict(item["headers"])
            _list_pairs(item["headers"], "rename")
            _list_pairs(item["headers"], "insert")
        return self._resolve(item, "sdl")

    def _service(self, name: str, value: Any) -> Any:
        if isinstance(value, str):
            value = {"url": value}
        if not isinstance(value, dict):
            return value
        item: dict[str, Any] = dict(value)
        url = item.get("url")
        if isinstance(url, str) and url.startswith(("grpc://", "grpcs://")):
            found = ServiceSettings.from_url(name, url)
            rest = {key: given for key, given in item.items() if key != "url"}
            tls: dict[str, Any] = {} if found.tls is None else {"tls": {}}
            item = {"kind": "grpc", "addresses": found.addresses, **tls, **rest}
        item = shape_balance(shape_sides({"name": name, **item}))
        _list_pairs(item, "headers")
        if isinstance(item.get("tls"), dict):
            files = ("ca_file", "certificate_file", "key_file")
            item["tls"] = self._resolve(dict(item["tls"]), *files)
        return item

    def _route(self, name: str, value: Any) -> Any:
        return shape_route(name, value, self._folder)

    def _variant(self, name: str, value: Any) -> Any:
        given = {} if value is None else value
        return {"name": name, **given} if isinstance(given, dict) else value

    def _process(self, name: str, value: Any) -> Any:
        if isinstance(value, (str, list)):
            value = {"command": value}
        if not isinstance(value, dict):
            return value
        item = {"name": name, **value}
        command = item.get("command")
        if isinstance(command, str):
            try:
                command = shlex.split(command)
            except ValueError as error:
                path = (*_NAMED["dev"], name, "command")
                mend = f"mend its quotes: {error}".lower()
                self._report(path, "is no command", mend)
                return item
        if isinstance(command, list):
            if command[:1] == ["python"]:
                command = [sys.executable, *command[1:]]
            item["command"] = [
                str(part) if type(part) in {int, float} else part for part in command
            ]
        _list_pairs(item, "environment")
        return item

    # Files

    def _resolve(self, holder: dict[str, Any], *keys: str) -> dict[str, Any]:
        """Take paths as relative to the configuration's folder."""
        for key in keys:
            if isinstance(holder.get(key), str):
                holder[key] = str(self._folder / holder[key])
        return holder

    def _auth(self, auth: dict[str, Any]) -> dict[str, Any]:
        shaped = dict(auth)
        issuers = shaped.get("issuers")
        if isinstance(issuers, list):
            shaped["issuers"] = [
                self._resolve(dict(item), "key_file")
                if isinstance(item, dict)
                else item
                for item in issuers
            ]
        if isinstance(shaped.get("api_keys"), dict):
            shaped["api_keys"] = self._resolve(dict(shaped["api_keys"]), "file")
        return shaped

    def _supergraph(self, value: Any) -> Any:
        if isinstance(value, str):
            value = {"location": value}
        if not isinstance(value, dict):
            return value
        item = dict(value)
        _list_pairs(item, "headers")
        if "://" in str(item.get("location")):
            return item
        return self._resolve(item, "location")

    def _warm_up(self, warm_up: dict[str, Any]) -> dict[str, Any]:
        patterns = warm_up.get("files")
        if isinstance(patterns, str):
            patterns = [patterns]
        if isinstance(patterns, list):
            warm_up["files"] = [
                str(self._folder / pattern) if isinstance(pattern, str) else pattern
                for pattern in patterns
            ]
        return self._resolve(warm_up, "remember")

    def _server(self, server: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(server.get("examples"), str):
            return server
        return {**server, "examples": self._examples(server["examples"])}

    def _examples(self, name: str) -> list[dict[str, str]]:
        """Read the operations that the IDE opens: ``*.graphql``, in order of names.

        A first line that is a comment is the title; variables lie beside in ``.json``.
        """
        folder = self._folder / name
        path = ("server", "examples")
        if not folder.is_dir():
            self._report(
                path, f"there is no folder {folder}", "make it, or remove this"
            )
            return []
        found = []
        for file in sorted(folder.glob("*.graphql")):
            try:
                text = file.read_text("utf-8")
                variables = file.with_suffix(".json")
                values = variables.read_text("utf-8") if variables.exists() else ""
            except (OSError, UnicodeDecodeError):
                self._report(path, f"cannot read {file}", "it must be UTF-8 text")
                continue
            first, _, rest = text.partition("\n")
            has_title = first.startswith("#")
            found.append(
                {
                    "title": first.lstrip("# ") if has_title else file.stem,
                    "query": rest.lstrip("\n") if has_title else text,
                    "variables": values,
                }
            )
        return found


def _list_pairs(holder: dict[str, Any], key: str) -> None:
    """Write a mapping as the pairs that the settings keep."""
    if isinstance(holder.get(key), dict):
        holder[key] = list(holder[key].items())
