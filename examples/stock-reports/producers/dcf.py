"""What the DCF engine does when it has valued a company."""

import boto3, json, os

sqs = boto3.client("sqs", endpoint_url=os.environ["AWS_ENDPOINT_URL"], region_name="us-east-1")
queue = sqs.get_queue_url(QueueName="dcf-completed")["QueueUrl"]
result = {"ticker": "ACME", "fairValue": 42.5, "price": 37.1}
sent = sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(result))
print("SQS took it:", sent["MessageId"])
