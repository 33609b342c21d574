"""EventBridge with an unchanged boto3. Run by boto3.test.ts."""

import datetime
import json

from case import REGION, Case, a_name, client, main, queue_arn, until

events = client("events")
sqs = client("sqs")
BUS_ARN = "arn:aws:events:%s:000000000000:event-bus/" % REGION


def entry(source="py.shop", **more):
    return {"Source": source, "DetailType": "OrderPlaced", "Detail": '{"order":"PX-42","total":19.90}', **more}


def put(*entries):
    return events.put_events(Entries=list(entries))


def rule_to(pattern, how=None, **bus):
    """A rule with a queue of its own as its target: the rule's name and the queue's URL."""
    name = a_name()
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    events.put_rule(Name=name, EventPattern=json.dumps(pattern), **bus)
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": queue_arn(url), **(how or {})}], **bus)
    return name, url


def next_of(url):
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return message["Body"]


class PutEvents(Case):
    def test_what_matches_reaches_the_target_in_eventbridges_envelope(self):
        source = a_name()
        _, url = rule_to({"source": [source], "detail-type": ["OrderPlaced"]})
        at = datetime.datetime(2026, 5, 6, 7, 8, 9, tzinfo=datetime.timezone.utc)
        answer = put(entry(source, Time=at, Resources=["arn:shop:order/PX-42"]))
        self.same(answer["FailedEntryCount"], 0)
        body = next_of(url)
        self.holds('"detail":{"order":"PX-42","total":19.90}' in body, "digits are kept")
        expected = {
            "version": "0",
            "id": answer["Entries"][0]["EventId"],
            "detail-type": "OrderPlaced",
            "source": source,
            "account": "000000000000",
            "time": "2026-05-06T07:08:09Z",
            "region": REGION,
            "resources": ["arn:shop:order/PX-42"],
            "detail": {"order": "PX-42", "total": 19.9},
        }
        self.same(json.loads(body), expected)

    def test_each_entry_is_taken_or_refused_for_itself(self):
        bad = {"DetailType": "x", "Detail": "{}"}
        answer = put(entry(), bad, entry(Detail="[1]"), entry(Detail="no JSON"), entry(EventBusName="nobody-made-it"))
        self.same(answer["FailedEntryCount"], 3)
        codes = [one.get("ErrorCode") for one in answer["Entries"]]
        self.same(codes, [None, "InvalidArgument", "MalformedDetail", "MalformedDetail", None])
        self.matches(answer["Entries"][0]["EventId"], "^[0-9a-f-]{36}$")
        self.same(answer["Entries"][2]["ErrorMessage"], "Detail is malformed.")

    def test_a_call_with_too_many_or_too_large_entries_is_refused_whole(self):
        self.refused("ValidationException", events.put_events, Entries=[entry()] * 11)
        half = json.dumps({"x": "y" * 600_000})
        self.refused("ValidationException", events.put_events, Entries=[entry(Detail=half)] * 2)

    def test_a_wrong_key_is_refused(self):
        stranger = client("events", aws_access_key_id="TKIANOBODYNOBODYNOBO", aws_secret_access_key="x")
        self.refused("UnrecognizedClientException", stranger.put_events, Entries=[entry()])


class Rules(Case):
    def test_a_rule_tells_of_itself_and_is_replaced_by_the_next_one(self):
        name, pattern = a_name(), '{"source":["py"]}'
        made = events.put_rule(Name=name, EventPattern=pattern, State="DISABLED", Description="first")
        self.same(made["RuleArn"], "arn:aws:events:%s:000000000000:rule/%s" % (REGION, name))
        told = events.describe_rule(Name=name)
        self.same((told["EventPattern"], told["State"], told["Description"]), (pattern, "DISABLED", "first"))
        self.same(told["EventBusName"], "default")
        events.put_rule(Name=name, EventPattern=pattern)
        told = events.describe_rule(Name=name)
        self.same((told["State"], told.get("Description")), ("ENABLED", None))

    def test_rules_are_listed_by_prefix_and_in_pages(self):
        prefix = a_name()
        for end in "abc":
            events.put_rule(Name=prefix + end, EventPattern='{"source":["py"]}')
        pages = events.get_paginator("list_rules").paginate(NamePrefix=prefix, PaginationConfig={"PageSize": 2})
        names = [[rule["Name"][-1] for rule in page["Rules"]] for page in pages]
        self.same(names, [["a", "b"], ["c"]])

    def test_a_disabled_rule_matches_nothing_and_an_enabled_one_again(self):
        source = a_name()
        name, url = rule_to({"source": [source]})
        events.disable_rule(Name=name)
        put(entry(source, Detail='{"n":1}'))
        events.enable_rule(Name=name)
        put(entry(source, Detail='{"n":2}'))
        self.same(json.loads(next_of(url))["detail"], {"n": 2})

    def test_what_cannot_be_is_refused(self):
        name = a_name()
        refuse = self.refused
        error = refuse("InvalidEventPatternException", events.put_rule, Name=name, EventPattern='{"source":"py"}')
        self.matches(error["Error"]["Message"], "^Event pattern is not valid. Reason: ")
        refuse("ValidationException", events.put_rule, Name=name)
        refuse("ResourceNotFoundException", events.describe_rule, Name=name)
        with self.assertRaises(events.exceptions.ResourceNotFoundException):
            events.put_rule(Name=name, EventPattern='{"a":[1]}', EventBusName="nowhere")
        events.delete_rule(Name=name)

    def test_a_rule_with_targets_is_kept_until_they_are_removed(self):
        name, _ = rule_to({"source": ["py.kept"]})
        self.refused("ValidationException", events.delete_rule, Name=name)
        self.same(events.remove_targets(Rule=name, Ids=["queue", "unknown"])["FailedEntryCount"], 0)
        events.delete_rule(Name=name)
        self.refused("ResourceNotFoundException", events.describe_rule, Name=name)

    def test_a_pattern_is_tried_against_an_event(self):
        event = {
            "id": "1",
            "account": "000000000000",
            "source": "py",
            "time": "2026-05-06T07:08:09Z",
            "region": REGION,
            "resources": [],
            "detail-type": "x",
            "detail": {"total": 150},
        }
        for bound, result in [(100, True), (200, False)]:
            pattern = json.dumps({"detail": {"total": [{"numeric": [">", bound]}]}})
            tried = events.test_event_pattern(EventPattern=pattern, Event=json.dumps(event))
            self.same(tried["Result"], result)
        lacking = {"EventPattern": '{"source":["py"]}', "Event": '{"source":"py"}'}
        self.refused("ValidationException", events.test_event_pattern, **lacking)

    def test_tags_are_put_on_and_taken_off(self):
        made = events.put_rule(Name=a_name(), EventPattern='{"a":[1]}', Tags=[{"Key": "team", "Value": "shop"}])
        arn = made["RuleArn"]
        events.tag_resource(ResourceARN=arn, Tags=[{"Key": "tier", "Value": "1"}])
        events.untag_resource(ResourceARN=arn, TagKeys=["team"])
        self.same(events.list_tags_for_resource(ResourceARN=arn)["Tags"], [{"Key": "tier", "Value": "1"}])


class Targets(Case):
    def test_a_target_gets_the_part_or_the_words_that_it_asks_for(self):
        source = a_name()
        transformer = {
            "InputPathsMap": {"order": "$.detail.order", "total": "$.detail.total"},
            "InputTemplate": '{"text":"Order <order>","total":<total>,"rule":"<aws.events.rule-name>"}',
        }
        pattern = {"source": [source]}
        _, fixed = rule_to(pattern, {"Input": '{"fixed":true}'})
        _, part = rule_to(pattern, {"InputPath": "$.detail"})
        name, filled = rule_to(pattern, {"InputTransformer": transformer})
        put(entry(source))
        self.same(next_of(fixed), '{"fixed":true}')
        self.same(next_of(part), '{"order":"PX-42","total":19.90}')
        self.same(json.loads(next_of(filled)), {"text": "Order PX-42", "total": 19.9, "rule": name})

    def test_targets_are_listed_and_found(self):
        name, url = rule_to({"source": ["py.listed"]})
        arn = queue_arn(url)
        self.same(events.list_targets_by_rule(Rule=name)["Targets"], [{"Id": "queue", "Arn": arn}])
        self.same(events.list_rule_names_by_target(TargetArn=arn)["RuleNames"], [name])

    def test_targets_that_cannot_be_are_refused(self):
        name, url = rule_to({"source": ["py.bad"]})
        arn = queue_arn(url)
        both = {"Id": "a", "Arn": arn, "Input": "{}", "InputPath": "$.detail"}
        self.refused("ValidationException", events.put_targets, Rule=name, Targets=[both])
        six = [{"Id": "t%d" % n, "Arn": arn} for n in range(6)]
        self.refused("LimitExceededException", events.put_targets, Rule=name, Targets=six)
        self.refused("ResourceNotFoundException", events.put_targets, Rule=a_name(), Targets=six[:1])


class Buses(Case):
    def test_the_rules_of_a_bus_see_what_is_put_on_it(self):
        bus, source = a_name(), a_name()
        self.same(events.create_event_bus(Name=bus)["EventBusArn"], BUS_ARN + bus)
        self.refused("ResourceAlreadyExistsException", events.create_event_bus, Name=bus)
        self.same(events.describe_event_bus(Name=bus)["Arn"], BUS_ARN + bus)
        self.same([one["Name"] for one in events.list_event_buses(NamePrefix=bus)["EventBuses"]], [bus])
        _, there = rule_to({"source": [source]}, EventBusName=bus)
        _, usual = rule_to({"source": [source]})
        put(entry(source, EventBusName=BUS_ARN + bus, Detail='{"on":"bus"}'))
        put(entry(source, Detail='{"on":"default"}'))
        self.same(json.loads(next_of(there))["detail"], {"on": "bus"})
        self.same(json.loads(next_of(usual))["detail"], {"on": "default"})

    def test_a_bus_is_deleted_but_not_the_default_one(self):
        bus = a_name()
        events.create_event_bus(Name=bus)
        events.delete_event_bus(Name=bus)
        self.refused("ResourceNotFoundException", events.describe_event_bus, Name=bus)
        self.refused("ValidationException", events.delete_event_bus, Name="default")

    def test_what_an_archive_has_kept_is_played_again(self):
        source, name = a_name(), a_name()[:40]
        _, url = rule_to({"source": [source]})
        pattern = json.dumps({"source": [source]})
        bus = BUS_ARN + "default"
        made = events.create_archive(ArchiveName=name, EventSourceArn=bus, EventPattern=pattern)
        self.same(made["State"], "ENABLED")
        start = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=1)
        put(entry(source))
        first = json.loads(next_of(url))
        until(lambda: events.describe_archive(ArchiveName=name)["EventCount"] == 1)
        events.start_replay(
            ReplayName=name,
            EventSourceArn=made["ArchiveArn"],
            EventStartTime=start,
            EventEndTime=start + datetime.timedelta(minutes=2),
            Destination={"Arn": bus},
        )
        again = json.loads(next_of(url))
        self.same((again["id"], again["replay-name"]), (first["id"], name))
        until(lambda: events.describe_replay(ReplayName=name)["State"] == "COMPLETED")
        events.delete_archive(ArchiveName=name)
        self.refused("ResourceNotFoundException", events.describe_archive, ArchiveName=name)


if __name__ == "__main__":
    main()
