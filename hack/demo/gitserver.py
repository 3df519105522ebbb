"""A real git server over https: aiohttp in front of git's own ``http-backend``, read only.

Run as ``python -m hack.demo.gitserver``; it ends on SIGTERM. Certificates come from certificates.py, repositories from
repository.py.
"""

import argparse
import asyncio
import os
import pathlib
import signal
import ssl

from aiohttp import web

ROOT: web.AppKey[pathlib.Path] = web.AppKey("root", pathlib.Path)
# What a client may send: the list of commits it wants and has. Ours has a handful.
LARGEST_REQUEST = 1 << 20


def application(root: pathlib.Path) -> web.Application:
    """Serve every bare repository below root for reading."""
    app = web.Application(client_max_size=LARGEST_REQUEST)
    app[ROOT] = root
    app.router.add_get("/-/healthy", _healthy)
    app.router.add_route("*", "/{path:.+}", _backend)
    return app


async def _healthy(_: web.Request) -> web.Response:
    return web.Response(text="ok\n")


async def _backend(request: web.Request) -> web.StreamResponse:
    """Hand one request to ``git http-backend`` (CGI) and stream its answer."""
    body = await request.read()
    process = await asyncio.create_subprocess_exec(
        "git",
        "http-backend",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=_environment(request, len(body)),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(body)
        process.stdin.close()
        answer = await _headers(process.stdout)
        await answer.prepare(request)
        while chunk := await process.stdout.read(1 << 16):
            await answer.write(chunk)
        await answer.write_eof()
        return answer
    finally:
        if process.returncode is None and not process.stdout.at_eof():
            process.kill()
        await process.wait()


def _environment(request: web.Request, length: int) -> dict[str, str]:
    """CGI's variables; nothing of ours but PATH, and no REMOTE_USER, without which the backend refuses pushes."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "GIT_PROJECT_ROOT": str(request.app[ROOT]),
        "GIT_HTTP_EXPORT_ALL": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        # The repository may belong to another user than the server's: serving it runs nothing of it.
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
        "PATH_INFO": "/" + request.match_info["path"],
        "QUERY_STRING": request.query_string,
        "REQUEST_METHOD": request.method,
        "CONTENT_TYPE": request.headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(length),
        "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
        "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        "REMOTE_ADDR": request.remote or "",
    }


async def _headers(stream: asyncio.StreamReader) -> web.StreamResponse:
    answer = web.StreamResponse()
    while line := (await stream.readline()).decode("latin-1").strip():
        name, _, value = line.partition(":")
        if name.lower() == "status":
            answer.set_status(int(value.split()[0]))
        else:
            answer.headers[name] = value.strip()
    return answer


async def serve(root: pathlib.Path, address: str, port: int, certificate: pathlib.Path, key: pathlib.Path) -> None:
    """Serve until SIGTERM or SIGINT."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    runner = web.AppRunner(application(root))
    await runner.setup()
    try:
        await web.TCPSite(runner, address, port, ssl_context=context).start()
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await stop.wait()
    finally:
        await runner.cleanup()


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m hack.demo.gitserver", description="Serve git over https.")
    parser.add_argument("--root", type=pathlib.Path, required=True, help="folder of bare repositories")
    parser.add_argument("--address", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--certificate", type=pathlib.Path, required=True)
    parser.add_argument("--key", type=pathlib.Path, required=True)
    given = parser.parse_args()
    asyncio.run(serve(given.root, given.address, given.port, given.certificate, given.key))


if __name__ == "__main__":
    main()
