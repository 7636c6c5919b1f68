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


def test_no_process_builds_a_grammar_that_nothing_asks_for():
    # Measured: 4.4 s of a worker's 6.9 s of imports were its.
    look = (
        "import sys, evals.scorers.json_schema, harness.context.embeddings\n"
        "print('chromadb' in sys.modules, [name for name in sys.modules if 'rfc3987' in name])\n"
        "import rfc3987_syntax"
    )
    found = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "True []"


async def test_a_worker_serves_every_function_of_the_app(worker):
    served = harness.jobs.functions(worker.services)
    assert {function.local_id for function in served} == {
        "process-message",
        "release-thread",
        "forget-thread",
        "forget-user",
    }
