#!/usr/bin/env python3
"""test_sdk_python - the published client `livepeer-ai`, unmodified, against every pipeline of real nodes.

What it must see is in tests/support/sdk.py; here its types are turned to and from the wire's names.  ./dev deps --test
brings the client."""
import contextlib
import os
import pathlib
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "support"))
import sdk  # noqa: E402

PYTHON = sdk.PLACE / "python" / "bin" / "python3"


@contextlib.contextmanager
def client(url):
    import livepeer_ai
    from livepeer_ai.models import errors
    with livepeer_ai.Livepeer(http_bearer="no secret", server_url=url, timeout_ms=60000) as livepeer:
        def call(pipeline, fields, file):
            request = dict(fields)
            if file:
                request[file[0]] = {"file_name": "a fox.bin", "content": file[1]}
            try:
                answer = getattr(livepeer.generate, pipeline.replace("-2", "2").replace("-", "_"))(request=request)
            except errors.HTTPValidationError as error:
                return sdk.Answer("HTTPValidationError", [row.model_dump() for row in error.data.detail])
            except errors.HTTPError as error:
                return sdk.Answer("HTTPError", error.data.detail.model_dump())
            except errors.SDKError as error:
                return sdk.Answer("SDKError", error.message, error.status_code, error.body)
            [value] = [value for name, value in answer.model_dump().items() if name != "http_meta"]
            return sdk.Answer("ok", value)
        yield call


if __name__ == "__main__":
    if not PYTHON.exists():
        print("the package livepeer-ai could not be had (./dev deps --test)")
        sys.exit(77)
    if pathlib.Path(sys.prefix) != PYTHON.parents[1]:
        os.execv(PYTHON, [str(PYTHON), *sys.argv])
    sys.exit(sdk.main(client))
