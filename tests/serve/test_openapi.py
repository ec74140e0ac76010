"""Requests that schemathesis makes from the service's own OpenAPI, right and wrong ones."""

import collections

import pytest
from fastapi.testclient import TestClient

from pafo_sk.serve import create_app


@pytest.mark.slow
def test_no_generated_request_makes_the_service_fail(model, database):
    from hypothesis import HealthCheck, Phase, given, settings
    from schemathesis import GenerationMode, openapi

    app = create_app(model, database)
    answers = collections.Counter()
    with TestClient(app):
        schema = openapi.from_asgi("/openapi.json", app)
        operations = [found.ok() for found in schema.get_all_operations()]
        for operation in operations:
            modes = list(GenerationMode) if operation.body else [GenerationMode.POSITIVE]
            for mode in modes:

                @given(case=operation.as_strategy(generation_mode=mode))
                @settings(
                    max_examples=60,
                    deadline=None,
                    database=None,
                    derandomize=True,
                    phases=[Phase.generate],
                    suppress_health_check=list(HealthCheck),
                )
                def ask(case):
                    answer = case.call()
                    answers[case.path, answer.status_code] += 1
                    assert answer.status_code < 500, (case.as_curl_command(), answer.text)

                ask()
    assert sum(answers.values()) >= 500, answers
    assert {path for path, _ in answers} == {operation.path for operation in operations}
