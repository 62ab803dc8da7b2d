"""As much of ``curl`` as the pages use, so that their examples run on machines without it."""

import argparse
import sys
import urllib.error
import urllib.request


def main() -> None:
    """Send one request and print the body of the reply, whatever its status."""
    parser = argparse.ArgumentParser(prog="curl")
    parser.add_argument("-s", action="store_true")
    parser.add_argument("-H", action="append", default=[], metavar="HEADER")
    parser.add_argument("-d", default=None, metavar="DATA")
    parser.add_argument("url")
    told = parser.parse_args()
    headers = dict(each.split(": ", 1) for each in told.H)
    body = None if told.d is None else told.d.encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(told.url, body, headers)) as reply:
            content = reply.read()
    except urllib.error.HTTPError as error:
        with error:
            content = error.read()
    sys.stdout.buffer.write(content)


if __name__ == "__main__":
    main()
