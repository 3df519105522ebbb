"""Answer Seldon's predictions with what the container knows: its environment and the file that the source brought."""

import http.server
import json
import os
import pathlib


class Answers(http.server.BaseHTTPRequestHandler):
    """One answer to everything."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        word = pathlib.Path("/app/word")
        told = {
            "word": word.read_text().strip() if word.is_file() else "",
            "location": os.environ.get("MODEL_LOCATION", ""),
        }
        body = json.dumps({"data": {"names": sorted(told), "ndarray": [[told[key] for key in sorted(told)]]}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


port = int(os.environ.get("PREDICTIVE_UNIT_HTTP_SERVICE_PORT", "9000"))
http.server.ThreadingHTTPServer(("", port), Answers).serve_forever()
