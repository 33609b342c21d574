// The same from Node, with Amazon's own client.
import { SQS } from "@aws-sdk/client-sqs";

const sqs = new SQS({ endpoint: process.env.AWS_ENDPOINT_URL, region: "us-east-1" });
const { QueueUrl } = await sqs.getQueueUrl({ QueueName: "dcf-completed" });
const result = { ticker: "GLOBEX", fairValue: 18, price: 21.4 };
const sent = await sqs.sendMessage({ QueueUrl, MessageBody: JSON.stringify(result) });
console.log("SQS took it:", sent.MessageId);
