"""A browser without a screen, for pages asked in-process: keeps cookies, sends forms with what stands in them."""

from __future__ import annotations

import re
from html import unescape

import httpx
from signed_in import FROM_HERE, HTML


class PaperBrowser:
    """`page` is the text of what is shown, `path` where it stands."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self.cookies: dict[str, str] = {}
        self.answer = httpx.Response(200)
        self.path = ""

    @property
    def page(self) -> str:
        return self.answer.text

    async def open(self, path: str, **headers: str) -> httpx.Response:
        """Go to a page, wherever it leads."""
        return await self._follow(await self._http.get(path, headers={**self._headers(), **headers}))

    async def send(self, action: str = "", /, **fields: str) -> httpx.Response:
        """Send the form with this action (without: the first of the page itself), its hidden fields as they are."""
        forms = re.findall(r'<form method="post" action="([^"]*)"[^>]*>(.*?)</form>', self.page, re.DOTALL)
        (found,) = [
            (where, body) for where, body in forms if unescape(where) == action or (not action and where != "/sign-out")
        ][:1]
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)"[^>]* value="([^"]*)"', found[1]))
        data = {key: unescape(value) for key, value in hidden.items()} | fields
        headers = {**self._headers(), **FROM_HERE}
        return await self._follow(await self._http.post(unescape(found[0]), data=data, headers=headers))

    async def _follow(self, answer: httpx.Response) -> httpx.Response:
        for _ in range(6):
            self._keep(answer)
            self.path = answer.request.url.raw_path.decode()
            if answer.status_code != 303:
                break
            answer = await self._http.get(answer.headers["location"], headers=self._headers())
        self.answer = answer
        return answer

    def _headers(self) -> dict[str, str]:
        line = "; ".join(f"{key}={value}" for key, value in self.cookies.items())
        return {**HTML, "user-agent": "paper", **({"cookie": line} if line else {})}

    def _keep(self, answer: httpx.Response) -> None:
        for line in answer.headers.get_list("set-cookie"):
            assert "; Path=/; HttpOnly; Secure; SameSite=" in line
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
            if not value:
                del self.cookies[name]
