"""Values that are made to be read as something else: an option, a second address, a command, another's object.

Here: the values, some two hundred. Elsewhere: what becomes of them (test_hostile_words.py).
"""

from __future__ import annotations

OPTIONS = (
    *("-", "--", "-x", "-u", "-h", "--help", "-v", "--version", "-c", "-C", "--exec-path=.", "-oProxyCommand=id"),
    *("--upload-pack=id", "--upload-pack=touch /tmp/x", "--receive-pack=id", "--output=/etc/passwd", "--template=/x"),
    *("--config=core.sshCommand=id", "-c core.hooksPath=.", "--separate-git-dir=/x", "--reference=/", "--insecure"),
    *("--platform=x", "--append=/etc/shadow", "-t", "-f", "--env=LD_PRELOAD=/x", "--repo=evil.example/x", "-rf"),
)
COMMANDS = (
    *("$(id)", "`id`", "${IFS}", "$IFS", "$HOME", "$$", ";id", "x;id", "|id", "x|id", "&id", "x&&id", "x||id"),
    *(">/tmp/x", "<(id)", ">(id)", "'", '"', "'x'", '"x"', "\\", "\\'", "!!", "*", "?", "~", "~root", "#x", "{a,b}"),
    *("x\nid", "x\rid", "x\r\nid", "x\tid", "x id", " x", "x ", "\n", "\t", "\v", "\f", "\x85", "\u2028", "\xa0"),
    *("%0a", "%0aid", "%0d%0aHost: x", "%00", "%24(id)", "%60id%60", "%2e%2e%2f", "..%2f", "%252e", "%", "%s", "%n"),
    *("{{7*7}}", "{{ .Values }}", "${{ x }}", "<%= x %>", "$(params.x)$(id)", "$(HOME)", "$$(params.x)", "$(", "$)"),
)
PATHS = (
    *("..", "../", "../..", "../../etc/passwd", "a/..", "a/../b", "a/../../b", "./..", ".", "./", "./x", "/", "//"),
    *("/etc/passwd", "/proc/self/environ", "//etc", "a//b", "a/./b", "..\\..", "a\\b", "C:\\x", "\\\\x\\y", ".git"),
    *(".git/config", "a/.git", ".GIT/config", ".git ", "git~1", ".g\u200cit", "CON", "aux", "x.lock", "x/", "/x/"),
)
ADDRESSES = (
    *("ext::sh -c id", "ext::id", "fd::0", "fd::17/x", "file:///etc", "file://localhost/x", "file:x", "git://x/y"),
    *("http://x/y", "ftp://x/y", "ftps://x/y", "rsync://x/y", "git+ssh://x/y", "ssh+git://x/y", "data:,x", "x:y"),
    *("javascript:id", "gopher://x/y", "dict://x:1/y", "HTTPS://x/y", "https:x", "https:/x", "https:///x", "https://"),
    *(
        "https://x",
        "https://x/",
        "https://u:p@x/y",
        "https://u@x/y",
        "https://:p@x/y",
        "https://x@y@z/a",
        "https://[::1]/x",
    ),
    *("https://[::1%25eth0]/x", "https://[x]/y", "https://[/x", "https://x:/y", "https://x:99999/y", "https://x:-1/y"),
    *("https://x:a/y", "https://-x/y", "https://-oProxyCommand=id/y", "https://x/y?z", "https://x/y#z", "https://x/-y"),
    *("https://x/y\n", "https://x/y\r\nHost: z", "https://x/ y", "https://x/%0a", "https://x/%0D%0Ay", "https://x/%00"),
    *("https://x/$(id)", "https://x/`id`", "https://x/;id", "https://x/|id", "https://x/'y'", 'https://x/"y"'),
    *(
        "https://x/\\y",
        "https://x\\@y/z",
        "https://x/%5c",
        "https://x/../y",
        "https://x//y",
        "https://x/.",
        "https://x./y",
    ),
    *(
        "https://\u0445/y",
        "https://x\u3002y/z",
        "https://x/\u202e",
        "https://127.1/x",
        "https://0x7f.1/x",
        "https://0/x",
    ),
    *("https://169.254.169.254/x", "https://kubernetes.default.svc/x", "https://localhost/x", "https://x.svc:443/y"),
    *(
        "ssh://x",
        "ssh://x/y",
        "ssh://u@x/y",
        "ssh://u:p@x/y",
        "ssh://-oProxyCommand=id/x",
        "ssh://-x/y",
        "ssh://u@-x/y",
    ),
    *("ssh://-u@x/y", "ssh://x:22/y", "ssh://x:-2/y", "ssh://x/$(id)", "ssh://x/y z", "ssh://x/-y", "ssh://x/~/y"),
    *("ssh://x/~u/y", "ssh://x//y", "u@x:y", "x:y/z", "-x:y", "u@-x:y", "//x/y", "x/y", "../x", "/x"),
)
NAMES = (
    *(
        "",
        "X",
        "Secret",
        "a_b",
        "a/b",
        "other/secret",
        "other.secret",
        "a.b",
        "a..b",
        ".a",
        "a.",
        "-a",
        "a-",
        "a" * 254,
    ),
    *(
        "kube-system/default",
        "default:other",
        "a@b",
        "a:b",
        "a,b",
        "a=b",
        "a b",
        "\u0430",
        "\u212a",
        "\u0131",
        "a\u200b",
    ),
    *(
        "a\x00b",
        "\x00",
        "\x1b[31m",
        "\x7f",
        "\u202ea",
        "null",
        "true",
        "0",
        "1e3",
        "x" * 5000,
        "a.b.c.d",
        "0a",
        "xn--a",
    ),
)

ALL = tuple(dict.fromkeys((*OPTIONS, *COMMANDS, *PATHS, *ADDRESSES, *NAMES)))
