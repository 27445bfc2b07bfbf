"""What stands between HTTP and the engine: the one path of the API, and Jetty's page for every other."""

from __future__ import annotations

import html
from dataclasses import dataclass

from sync.sandbox.engine import Answer, Engine, Request

API_PATH = "/client/api"
NOT_FOUND = """<html>
<head>
<meta http-equiv="Content-Type" content="text/html;charset=utf-8"/>
<title>Error 404 Not Found</title>
</head>
<body><h2>HTTP ERROR 404 Not Found</h2>
<table>
<tr><th>URI:</th><td>{path}</td></tr>
<tr><th>STATUS:</th><td>404</td></tr>
<tr><th>MESSAGE:</th><td>Not Found</td></tr>
<tr><th>SERVLET:</th><td>default</td></tr>
</table>
<hr><a href="http://eclipse.org/jetty">Powered by Jetty:// 9.4.27.v20200227</a><hr/>

</body>
</html>
"""
"""As recorded in roles, 4.23."""


@dataclass(frozen=True)
class Gateway:
    """Answers requests by path."""

    engine: Engine

    def answer(self, path: str, request: Request) -> Answer:
        """The API's answer, or a page (a string body) that says 404."""
        if path.rstrip("/") != API_PATH:
            return Answer(404, NOT_FOUND.format(path=html.escape(path)))
        return self.engine.handle(request)
