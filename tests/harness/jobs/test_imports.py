import subprocess
import sys

import harness.jobs

LOOK = """
import sys
import harness.app, harness.jobs.client
print(sorted({"chromadb", "onnxruntime", "openai"} & set(sys.modules)))
"""


def test_who_only_sends_events_does_not_load_the_memorys_and_the_models_code():
    # Measured: 6 s of an API's start were theirs.
    found = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


async def test_a_worker_serves_every_function_of_the_app(worker):
    served = harness.jobs.functions(worker.services)
    assert {function.local_id for function in served} == {
        "process-message",
        "release-thread",
        "forget-thread",
        "forget-user",
    }
