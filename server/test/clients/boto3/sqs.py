"""SQS with an unchanged boto3: Query/XML before botocore 1.31.81, JSON 1.0 since. Run by boto3.test.ts."""

import hashlib
import json
import threading
import time
import unittest

from case import Case, a_name, client, main, queue_arn, until

sqs = client("sqs")
NO_QUEUE = "AWS.SimpleQueueService.NonExistentQueue"


def a_queue(**attributes):
    name = a_name(".fifo" if attributes.get("FifoQueue") == "true" else "")
    return sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]


def a_pair(receives=1):
    """A queue, and the one that its dead letters go to."""
    dead = a_queue()
    policy = {"deadLetterTargetArn": queue_arn(dead), "maxReceiveCount": receives}
    return a_queue(RedrivePolicy=json.dumps(policy)), dead


def send(url, body, **more):
    return sqs.send_message(QueueUrl=url, MessageBody=body, **more)


def receive(url, **more):
    return sqs.receive_message(QueueUrl=url, **more).get("Messages", [])


def next_of(url, **more):
    (message,) = receive(url, WaitTimeSeconds=10, **more)
    return message


def bodies(url, **more):
    return [message["Body"] for message in receive(url, MaxNumberOfMessages=10, **more)]


def remove(url, message):
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def hide(url, message, seconds):
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=seconds)


def attribute(url, name):
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name]).get("Attributes", {}).get(name)


class Queues(Case):
    def test_a_queue_is_found_by_its_name_and_listed_by_its_prefix(self):
        name = a_name()
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        self.holds(url.endswith("/000000000000/" + name))
        self.same(sqs.get_queue_url(QueueName=name)["QueueUrl"], url)
        self.same(sqs.list_queues(QueueNamePrefix=name)["QueueUrls"], [url])
        self.same(sqs.list_queues(QueueNamePrefix=name + "-none").get("QueueUrls"), None)

    def test_queues_are_listed_in_pages(self):
        prefix = a_name()
        made = [sqs.create_queue(QueueName=prefix + end)["QueueUrl"] for end in "abc"]
        pages = list(
            sqs.get_paginator("list_queues").paginate(QueueNamePrefix=prefix, PaginationConfig={"PageSize": 2})
        )
        self.same([len(page["QueueUrls"]) for page in pages], [2, 1])
        self.same([url for page in pages for url in page["QueueUrls"]], made)

    def test_a_queue_is_made_again_only_with_the_attributes_that_it_has(self):
        name = a_name()
        url = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "40"})["QueueUrl"]
        self.same(sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "40"})["QueueUrl"], url)
        self.refused("QueueAlreadyExists", sqs.create_queue, QueueName=name, Attributes={"VisibilityTimeout": "41"})
        with self.assertRaises(sqs.exceptions.QueueNameExists):
            sqs.create_queue(QueueName=name, Attributes={"DelaySeconds": "1"})

    def test_names_that_cannot_be_are_refused(self):
        for name in ["a b", "x" * 81, "no.fifo"]:
            self.refused("InvalidParameterValue", sqs.create_queue, QueueName=name)

    def test_a_new_queue_has_the_attributes_that_sqs_gives_one(self):
        url = a_queue()
        told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        self.same(told["QueueArn"], queue_arn(url))
        self.same(told["VisibilityTimeout"], "30")
        self.same(told["MessageRetentionPeriod"], "345600")
        self.same(told["ApproximateNumberOfMessages"], "0")
        self.same(told.get("FifoQueue"), None)
        self.holds(abs(int(told["CreatedTimestamp"]) - time.time()) < 60)

    def test_attributes_are_set_within_their_ranges(self):
        url = a_queue()
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "900", "VisibilityTimeout": "0"})
        self.same(attribute(url, "DelaySeconds"), "900")
        for name, value in [("DelaySeconds", "901"), ("VisibilityTimeout", "43201"), ("MaximumMessageSize", "1023")]:
            change = {"QueueUrl": url, "Attributes": {name: value}}
            self.refused("InvalidAttributeValue", sqs.set_queue_attributes, **change)
        for name in ["Colour", "QueueArn", "ContentBasedDeduplication"]:
            change = {"QueueUrl": url, "Attributes": {name: "true"}}
            self.refused("InvalidAttributeName", sqs.set_queue_attributes, **change)

    def test_tags_are_put_on_and_taken_off(self):
        url = sqs.create_queue(QueueName=a_name(), tags={"team": "shop"})["QueueUrl"]
        sqs.tag_queue(QueueUrl=url, Tags={"tier": "1", "empty": ""})
        self.same(sqs.list_queue_tags(QueueUrl=url)["Tags"], {"team": "shop", "tier": "1", "empty": ""})
        sqs.untag_queue(QueueUrl=url, TagKeys=["team", "tier", "empty"])
        self.same(sqs.list_queue_tags(QueueUrl=url).get("Tags"), None)

    def test_a_queue_that_is_not_there_is_known_by_its_exception(self):
        url = a_queue()
        sqs.delete_queue(QueueUrl=url)
        error = self.refused(NO_QUEUE, sqs.send_message, QueueUrl=url, MessageBody="x")
        self.same(error["ResponseMetadata"]["HTTPStatusCode"], 400)
        self.matches(error["Error"]["Message"], "^The specified queue does not exist")
        self.refused(NO_QUEUE, sqs.receive_message, QueueUrl=url)
        self.refused(NO_QUEUE, sqs.get_queue_url, QueueName="nowhere")
        with self.assertRaises(sqs.exceptions.QueueDoesNotExist):
            sqs.purge_queue(QueueUrl=url)

    def test_a_purge_takes_everything_and_is_not_repeated_at_once(self):
        url = a_queue()
        send(url, "in flight")
        next_of(url)
        send(url, "visible")
        sqs.purge_queue(QueueUrl=url)
        self.same(bodies(url), [])
        self.refused("AWS.SimpleQueueService.PurgeQueueInProgress", sqs.purge_queue, QueueUrl=url)

    def test_a_wrong_key_is_refused(self):
        for pair, code in [
            ({"aws_access_key_id": "TKIANOBODYNOBODYNOBO", "aws_secret_access_key": "x"}, "InvalidClientTokenId"),
            ({"aws_secret_access_key": "wrong", "aws_access_key_id": key_of(sqs)}, "SignatureDoesNotMatch"),
        ]:
            self.refused(code, client("sqs", **pair).list_queues)


def key_of(of):
    return of._request_signer._credentials.access_key


class Messages(Case):
    def test_a_message_is_sent_received_and_deleted(self):
        url = a_queue(VisibilityTimeout="1")
        sent = send(url, "hello world")
        self.same(sent["MD5OfMessageBody"], "5eb63bbbe01eeed093cb22bb8f5acdc3")
        message = next_of(url)
        self.same((message["MessageId"], message["Body"]), (sent["MessageId"], "hello world"))
        self.same(message["MD5OfBody"], sent["MD5OfMessageBody"])
        remove(url, message)
        remove(url, message)
        self.same(receive(url, WaitTimeSeconds=2), [])

    def test_whatever_may_be_said_is_kept_as_it_was_said(self):
        url = a_queue()
        for body in ["  blanks \t both \n", "a\r\nb\rc", "<&>\"'", "a=b&c=d%20+", "Zürich 東京 🎈"]:
            md5 = hashlib.md5(body.encode()).hexdigest()
            self.same(send(url, body)["MD5OfMessageBody"], md5)
            message = next_of(url)
            self.same((message["Body"], message["MD5OfBody"]), (body, md5))
        self.refused("InvalidMessageContents", sqs.send_message, QueueUrl=url, MessageBody="bell\u0007")

    def test_a_body_is_not_empty_and_not_too_long(self):
        url = a_queue(MaximumMessageSize="1024")
        self.refused("MissingParameter", sqs.send_message, QueueUrl=url, MessageBody="")
        send(url, "ü" * 512)
        error = self.refused("InvalidParameterValue", sqs.send_message, QueueUrl=url, MessageBody="ü" * 513)
        self.matches(error["Error"]["Message"], "Message must be shorter than 1024 bytes")

    def test_message_attributes_come_back_as_they_were_given(self):
        url = a_queue(VisibilityTimeout="0")
        given = {
            "city": {"DataType": "String", "StringValue": "Zürich"},
            "n": {"DataType": "Number.int", "StringValue": "7"},
            "b": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        }
        sent = send(url, "x", MessageAttributes=given)
        self.same(sent["MD5OfMessageAttributes"], "45791c4e1cc7fec86d9075719a9d1a50")
        message = next_of(url, MessageAttributeNames=["All"])
        self.same(message["MessageAttributes"], given)
        self.same(message["MD5OfMessageAttributes"], sent["MD5OfMessageAttributes"])
        self.same(list(next_of(url, MessageAttributeNames=["ci.*", "n"])["MessageAttributes"]), ["n"])
        self.same(next_of(url).get("MessageAttributes"), None)

    def test_message_attributes_that_cannot_be_are_refused(self):
        url = a_queue()
        many = {"a%d" % n: {"DataType": "String", "StringValue": "x"} for n in range(11)}
        for attributes in [
            {"AWS.x": {"DataType": "String", "StringValue": "x"}},
            {"x": {"DataType": "Text", "StringValue": "x"}},
            {"x": {"DataType": "Number", "StringValue": "seven"}},
            {"x": {"DataType": "String", "StringValue": ""}},
            many,
        ]:
            ask = {"QueueUrl": url, "MessageBody": "x", "MessageAttributes": attributes}
            self.refused("InvalidParameterValue", sqs.send_message, **ask)

    def test_system_attributes_tell_when_and_how_often(self):
        url = a_queue(VisibilityTimeout="0")
        trace = {"DataType": "String", "StringValue": "Root=1-5759e988-bd862e3fe1be46a994272793"}
        send(url, "x", MessageSystemAttributes={"AWSTraceHeader": trace})
        told = next_of(url, AttributeNames=["All"])["Attributes"]
        self.same(told["ApproximateReceiveCount"], "1")
        self.same(told["AWSTraceHeader"], trace["StringValue"])
        self.holds(abs(int(told["SentTimestamp"]) / 1000 - time.time()) < 60)
        again = next_of(url, AttributeNames=["ApproximateReceiveCount"])["Attributes"]
        self.same(again, {"ApproximateReceiveCount": "2"})

    def test_a_batch_is_answered_entry_by_entry(self):
        url = a_queue(MaximumMessageSize="1024")
        answer = sqs.send_message_batch(
            QueueUrl=url,
            Entries=[
                {"Id": "a", "MessageBody": "a"},
                {"Id": "long", "MessageBody": "x" * 1025},
                {"Id": "b", "MessageBody": "b", "DelaySeconds": 60},
            ],
        )
        self.same([one["Id"] for one in answer["Successful"]], ["a", "b"])
        failed = [(one["Id"], one["Code"], one["SenderFault"]) for one in answer["Failed"]]
        self.same(failed, [("long", "InvalidParameterValue", True)])
        self.same(bodies(url), ["a"])

    def test_a_batch_that_is_none_is_refused(self):
        url = a_queue()

        def of(*ids):
            return [{"Id": one, "MessageBody": "x"} for one in ids]

        for name, entries in [
            ("EmptyBatchRequest", []),
            ("TooManyEntriesInBatchRequest", of(*map(str, range(11)))),
            ("BatchEntryIdsNotDistinct", of("a", "a")),
            ("InvalidBatchEntryId", of("a b")),
        ]:
            code = "AWS.SimpleQueueService." + name
            self.refused(code, sqs.send_message_batch, QueueUrl=url, Entries=entries)

    def test_batches_of_deletes_and_visibilities_are_answered_entry_by_entry(self):
        url = a_queue()
        for body in "ab":
            send(url, body)
        first, second = receive(url, MaxNumberOfMessages=10)
        changed = sqs.change_message_visibility_batch(
            QueueUrl=url,
            Entries=[
                {"Id": "first", "ReceiptHandle": first["ReceiptHandle"], "VisibilityTimeout": 0},
                {"Id": "junk", "ReceiptHandle": "junk", "VisibilityTimeout": 0},
            ],
        )
        self.same([one["Id"] for one in changed["Successful"]], ["first"])
        self.same([one["Code"] for one in changed["Failed"]], ["ReceiptHandleIsInvalid"])
        deleted = sqs.delete_message_batch(
            QueueUrl=url,
            Entries=[
                {"Id": "second", "ReceiptHandle": second["ReceiptHandle"]},
                {"Id": "junk", "ReceiptHandle": "junk"},
            ],
        )
        self.same([one["Id"] for one in deleted["Successful"]], ["second"])
        self.same([one["Id"] for one in deleted["Failed"]], ["junk"])
        self.same(bodies(url), [first["Body"]])

    def test_a_message_comes_again_when_its_time_is_over(self):
        url = a_queue(VisibilityTimeout="2")
        send(url, "x")
        first = next_of(url)
        self.same(receive(url), [])
        second = next_of(url)
        self.same(second["MessageId"], first["MessageId"])
        self.holds(second["ReceiptHandle"] != first["ReceiptHandle"])
        hide(url, second, 30)
        self.same(receive(url, WaitTimeSeconds=3), [])
        hide(url, second, 0)
        self.same(next_of(url)["MessageId"], first["MessageId"])

    def test_receipt_handles_and_numbers_that_cannot_be_are_refused(self):
        url = a_queue()
        self.refused("ReceiptHandleIsInvalid", sqs.delete_message, QueueUrl=url, ReceiptHandle="junk")
        self.refused("InvalidParameterValue", sqs.receive_message, QueueUrl=url, MaxNumberOfMessages=11)
        self.refused("InvalidParameterValue", sqs.receive_message, QueueUrl=url, WaitTimeSeconds=21)
        self.refused("InvalidParameterValue", sqs.send_message, QueueUrl=url, MessageBody="x", DelaySeconds=901)

    def test_a_delayed_message_comes_later(self):
        url = a_queue(DelaySeconds="3")
        send(url, "later")
        send(url, "now", DelaySeconds=0)
        self.same(bodies(url), ["now"])
        self.same(attribute(url, "ApproximateNumberOfMessagesDelayed"), "1")
        self.same(next_of(url)["Body"], "later")

    def test_who_waits_is_answered_by_the_first_message(self):
        url = a_queue()
        timer = threading.Timer(0.3, send, (url, "x"))
        timer.start()
        start = time.monotonic()
        self.same(next_of(url)["Body"], "x")
        self.holds(time.monotonic() - start < 8)
        timer.join()
        start = time.monotonic()
        self.same(receive(url, WaitTimeSeconds=1), [])
        self.holds(time.monotonic() - start >= 0.95)


class Order(Case):
    def test_groups_keep_their_order_and_wait_for_what_is_in_flight(self):
        url = a_queue(FifoQueue="true", ContentBasedDeduplication="true")
        sent = [send(url, body, MessageGroupId=body[0])["SequenceNumber"] for body in ["a1", "a2", "b1"]]
        self.same(sorted(sent, key=int), sent)
        first = next_of(url)
        self.same(first["Body"], "a1")
        self.same(bodies(url), ["b1"])
        remove(url, first)
        self.same(bodies(url), ["a2"])

    def test_an_id_that_was_sent_already_is_kept_once(self):
        url = a_queue(FifoQueue="true")
        once = {"MessageGroupId": "g", "MessageDeduplicationId": "1"}
        first, again = send(url, "first", **once), send(url, "again", **once)
        self.same(again["MessageId"], first["MessageId"])
        told = next_of(url, AttributeNames=["All"])
        self.same(told["Body"], "first")
        self.same(told["Attributes"]["MessageGroupId"], "g")
        self.same(told["Attributes"]["SequenceNumber"], first["SequenceNumber"])

    def test_fifo_queues_need_a_group_and_an_id(self):
        url = a_queue(FifoQueue="true")
        self.refused("MissingParameter", sqs.send_message, QueueUrl=url, MessageBody="x", MessageDeduplicationId="1")
        self.refused("InvalidParameterValue", sqs.send_message, QueueUrl=url, MessageBody="x", MessageGroupId="g")


class DeadLetters(Case):
    def test_what_was_received_too_often_is_in_the_other_queue(self):
        url, dead = a_pair()
        sent = send(url, "poison")
        self.same(bodies(url, VisibilityTimeout=0), ["poison"])
        self.same(bodies(url), [])
        message = next_of(dead, AttributeNames=["All"])
        self.same((message["MessageId"], message["Body"]), (sent["MessageId"], "poison"))
        self.same(message["Attributes"]["DeadLetterQueueSourceArn"], queue_arn(url))
        self.same(sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"], [url])

    def test_a_policy_that_cannot_be_is_refused(self):
        url, dead = a_pair()
        for target, count in [(dead, 0), (dead, 1001), ("/nowhere", 1)]:
            policy = json.dumps({"deadLetterTargetArn": queue_arn(target), "maxReceiveCount": count})
            change = {"QueueUrl": url, "Attributes": {"RedrivePolicy": policy}}
            self.refused("InvalidParameterValue", sqs.set_queue_attributes, **change)

    @unittest.skipUnless(hasattr(sqs, "start_message_move_task"), "this boto3 knows no message move tasks")
    def test_dead_letters_are_moved_back(self):
        url, dead = a_pair()
        send(url, "x")
        bodies(url, VisibilityTimeout=0)
        self.same(bodies(url), [])
        self.refused("InvalidParameterValue", sqs.start_message_move_task, SourceArn=queue_arn(url))
        self.refused("ResourceNotFoundException", sqs.start_message_move_task, SourceArn=queue_arn("/nowhere"))
        sqs.start_message_move_task(SourceArn=queue_arn(dead))

        def ended():
            (task,) = sqs.list_message_move_tasks(SourceArn=queue_arn(dead))["Results"]
            return task if task["Status"] == "COMPLETED" else None

        task = until(ended)
        self.same(task["ApproximateNumberOfMessagesMoved"], 1)
        self.same(next_of(url)["Body"], "x")


if __name__ == "__main__":
    main()
