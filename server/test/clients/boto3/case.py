"""What both scripts share: clients of boto3, assertions that are counted, and a report that the Node test reads.

The endpoint is TIDINGS_AWS_ENDPOINT; keys and region are where boto3 looks for them itself.
"""

import json
import os
import sys
import time
import unittest
import uuid

import boto3
import botocore.config
import botocore.exceptions

REGION = os.environ["AWS_DEFAULT_REGION"]


def client(service, **more):
    config = botocore.config.Config(retries={"max_attempts": 0}, connect_timeout=5, read_timeout=30)
    return boto3.client(service, endpoint_url=os.environ["TIDINGS_AWS_ENDPOINT"], config=config, **more)


class Case(unittest.TestCase):
    """Unittest's own assertions call one another, so that they could not be counted."""

    asserted = 0

    def same(self, actual, expected, why=None):
        Case.asserted += 1
        self.assertEqual(actual, expected, why)

    def holds(self, truth, why=None):
        Case.asserted += 1
        self.assertTrue(truth, why)

    def matches(self, text, pattern):
        Case.asserted += 1
        self.assertRegex(text, pattern)

    def refused(self, code, call, **arguments):
        """Gives the whole error, which has the code that programs compare."""
        with self.assertRaises(botocore.exceptions.ClientError) as raised:
            call(**arguments)
        self.same(raised.exception.response["Error"]["Code"], code, arguments)
        return raised.exception.response


def a_name(suffix=""):
    return "py-" + uuid.uuid4().hex + suffix


def queue_arn(url):
    return "arn:aws:sqs:%s:000000000000:%s" % (REGION, url.rsplit("/", 1)[1])


def until(look, seconds=15):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        seen = look()
        if seen:
            return seen
        time.sleep(0.05)
    raise AssertionError("it has not happened in %s seconds" % seconds)


class Lines(unittest.TestResult):
    """One line of JSON for each test: its sentence, and what was wrong with it or why it was not run."""

    def startTest(self, test):
        super().startTest(test)
        self.before = Case.asserted

    def tell(self, test, **more):
        sentence = test._testMethodName[len("test_") :].replace("_", " ")
        line = {"test": sentence, "assertions": Case.asserted - self.before, **more}
        print(json.dumps(line), flush=True)

    def addSuccess(self, test):
        self.tell(test)

    def addSkip(self, test, reason):
        self.tell(test, skip=reason)

    def addFailure(self, test, err):
        self.tell(test, wrong=self._exc_info_to_string(err, test))

    addError = addFailure


def main():
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])
    suite.run(Lines())
