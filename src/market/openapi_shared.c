/* market/openapi - see openapi_priv.h.  The texts are JSON with ' for ", so that they can be read. */
#include "openapi_priv.h"

#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/buf.h>

static json_t *read_text(const char *text)
{
	struct lp_buf json = { 0 };
	json_t *tree;

	for (; *text; text++)
		lp_buf_add_char(&json, *text == '\'' ? '"' : *text);
	tree = json_loadb(lp_buf_span(&json).at, json.len, 0, NULL);
	lp_buf_clear(&json);
	lp_assert(tree);
	return tree;
}

#define TEXT(name) "{'type': 'string', 'description': '" name "'}"
#define ID "{'name': 'id', 'in': 'path', 'required': true, 'schema': {'type': 'string', 'pattern': '^[0-9a-f]{32}$'}}"
#define FAILS(words) "{'description': '" words "', 'content': {'application/json': {'schema': " \
		     "{'$ref': '#/components/schemas/Error'}}}}"
#define GIVES(words, schema) "{'description': '" words "', 'content': {'application/json': {'schema': " \
			     "{'$ref': '#/components/schemas/" schema "'}}}}"
#define WAIT "{'description': 'Still running.', 'headers': {'Retry-After': {'$ref': '#/components/headers/RetryAfter'}}, " \
	     "'content': {'application/json': {'schema': {'$ref': '#/components/schemas/Processing'}}}}"
#define NONE FAILS("No job is kept under this id (any more).")

/* ---- what requests and answers of every pipeline may carry ---- */

json_t *lp_openapi_parameters(void)
{
	return read_text(
		"{'Prefer': {'name': 'Prefer', 'in': 'header', 'schema': {'type': 'string', 'examples': "
		"['respond-async']}, "
		"'description': 'respond-async: answer 202 at once; the job is polled at the Location.'},"
		"'IdempotencyKey': {'name': 'Idempotency-Key', 'in': 'header', 'schema': {'type': 'string', "
		"'minLength': 1, "
		"'maxLength': 255, 'pattern': '^[!-~]+$'}, "
		"'description': 'The same request with the same key is one job, and gets the same answer for a day.'},"
		"'LpTrace': {'name': 'Lp-Trace', 'in': 'header', 'schema': {'type': 'string', 'enum': ['1']}, "
		"'description': 'The answer tells in a header of this name who was chosen, why, who was not, "
		"and where the time "
		"went.'},"
		"'LpOrchestrator': {'name': 'Lp-Orchestrator', 'in': 'header', 'schema': {'type': 'string'}, "
		"'description': 'Only these orchestrators, or not those with a ! in front: Ethereum addresses, hosts, or URLs, "
		"joined by commas.'},"
		"'LpPriority': {'name': 'Lp-Priority', 'in': 'header', 'schema': {'type': 'string', 'enum': ['high', 'normal', "
		"'low'], 'default': 'normal'}, 'description': 'Who goes first where jobs wait; "
		"only where the operator allows it.'},"
		"'RequestId': {'name': 'X-Request-Id', 'in': 'header', 'schema': {'type': 'string', 'minLength': 1, "
		"'maxLength': 64}, "
		"'description': 'A name of the job for the log; echoed. Absent: one is made.'},"
		"'Traceparent': {'name': 'traceparent', 'in': 'header', 'schema': {'type': 'string'}, "
		"'description': 'W3C Trace Context, carried on to the runner, with tracestate.'},"
		"'Media': {'name': 'media', 'in': 'query', 'schema': {'type': 'string', 'enum': ['inline']}, "
		"'description': 'inline: results stand in the answer as data: URLs instead of links.'}}");
}

json_t *lp_openapi_job_parameters(void)
{
	return read_text(
		"[{'$ref': '#/components/parameters/Prefer'}, {'$ref': '#/components/parameters/IdempotencyKey'}, "
		"{'$ref': '#/components/parameters/LpTrace'}, {'$ref': '#/components/parameters/LpOrchestrator'}, "
		"{'$ref': '#/components/parameters/LpPriority'}, {'$ref': '#/components/parameters/RequestId'}, "
		"{'$ref': '#/components/parameters/Traceparent'}, "
		"{'$ref': '#/components/parameters/Media'}]");
}

json_t *lp_openapi_headers(void)
{
	return read_text(
		"{'RequestId': {'schema': {'type': 'string'}, 'description': 'Names the job in the log.'},"
		"'LpTrace': {'schema': {'type': 'string'}, 'description': 'How the job went, when it was asked for.'},"
		"'Replayed': {'schema': {'type': 'string', 'enum': ['true']}, "
		"'description': 'This is the answer to an earlier request with the same Idempotency-Key.'},"
		"'RetryAfter': {'schema': {'type': 'integer', 'minimum': 1}, 'description': "
		"'Seconds until another try makes sense.'}}");
}

json_t *lp_openapi_job_headers(void)
{
	return read_text("{'X-Request-Id': {'$ref': '#/components/headers/RequestId'}, "
			 "'Lp-Trace': {'$ref': '#/components/headers/LpTrace'}, "
			 "'Idempotency-Replayed': {'$ref': '#/components/headers/Replayed'}}");
}

/* ---- asynchronous jobs ---- */

json_t *lp_openapi_accepted(void)
{
	return read_text("{'description': 'Accepted, with Prefer: respond-async.', 'headers': {"
			 "'Location': {'schema': {'type': 'string'}, 'description': 'Where the job is polled: "
			 "/jobs/ID.'}, "
			 "'Preference-Applied': {'schema': {'type': 'string', 'enum': ['respond-async']}}}, "
			 "'content': {'application/json': {'schema': {'$ref': '#/components/schemas/Job'}}}}");
}

json_t *lp_openapi_job_schemas(void)
{
	return read_text(
		"{'Job': {'type': 'object', 'required': ['id', 'request_id', 'pipeline', 'model', 'status', "
		"'created'], "
		"'properties': {'id': " TEXT("Its key: whoever knows it may read and cancel the job.") ", "
		"'request_id': " TEXT("The same as id, as the SDKs of the network call it.") ", "
		"'pipeline': {'type': 'string'}, 'model': {'type': 'string'}, "
		"'status': {'type': 'string', 'enum': ['processing', 'complete', 'failed', 'cancelled']}, "
		"'code': " TEXT("How it ended: ok, or the code of the error.") ", "
		"'created': {'type': 'string', 'format': 'date-time'}, 'ended': {'type': 'string', 'format': "
		"'date-time'}, "
		"'expires': {'type': 'string', 'format': 'date-time'}, "
		"'result': {'description': 'The body of the reply, of an error too. Not in lists.'}}},"
		"'JobList': {'type': 'object', 'properties': {'jobs': {'type': 'array', 'items': "
		"{'$ref': '#/components/schemas/Job'}}}},"
		"'Processing': {'type': 'object', 'properties': {'status': {'type': 'string', 'enum': "
		"['processing']}}}}");
}

/* ---- paths ---- */

static void add(json_t *paths, const char *path, const char *text)
{
	json_object_set_new(paths, path, read_text(text));
}

static void add_jobs(json_t *paths)
{
	add(paths, "/jobs",
	    "{'get': {'operationId': 'list-jobs', 'summary': 'Jobs that are kept, the newest first; "
	    "on the machine of the "
	    "gateway only', 'parameters': [{'name': 'limit', 'in': 'query', 'schema': {'type': 'integer', 'minimum': 1, "
	    "'maximum': 100, 'default': 20}}, {'name': 'after', 'in': 'query', 'schema': {'type': 'string'}, "
	    "'description': 'The id of the last job of the page before.'}], 'responses': {'200': " GIVES("The jobs.", "JobList") ", "
	    "'403': " FAILS("From another machine.") "}}}");
	add(paths, "/jobs/{id}",
	    "{'parameters': [" ID "], 'get': {'operationId': 'get-job', 'summary': 'How a job stands, and its result', "
	    "'responses': {'200': " GIVES("The job.", "Job") ", '404': " NONE "}}, "
	    "'delete': {'operationId': 'cancel-job', 'summary': 'End a job that runs, forget one that has ended', "
	    "'responses': {'204': {'description': 'Done.'}, '404': " NONE "}}}");
	add(paths, "/jobs/{id}/result",
	    "{'parameters': [" ID "], 'get': {'operationId': 'get-job-result', 'summary': 'The reply of the job itself, with its "
	    "own status', 'responses': {'200': {'description': 'The reply, as the pipeline describes it.'}, "
	    "'202': " WAIT ", '404': " NONE ", 'default': " FAILS("The error with which the job ended.") "}}}");
	add(paths, "/image-to-video/result",
	    "{'post': {'operationId': 'poll-job', 'summary': 'The poll of the network SDKs, "
	    "for a job of any pipeline', "
	    "'requestBody': {'required': true, 'content': {'application/json': {'schema': {'type': 'object', "
	    "'required': ['request_id'], 'properties': {'request_id': {'type': 'string'}}}}}}, "
	    "'responses': {'200': {'description': 'It has ended.', 'content': {'application/json': {'schema': "
	    "{'type': 'object', "
	    "'properties': {'status': {'type': 'string', 'enum': ['complete']}, 'result': {}}}}}}, "
	    "'202': " WAIT ", '400': " FAILS("No such job.") "}}}");
}

json_t *lp_openapi_paths(void)
{
	json_t *paths = json_object();

	add_jobs(paths);
	add(paths, "/stream/{id}/{name}",
	    "{'get': {'operationId': 'get-media', 'summary': 'A result, for a while', 'parameters': ["
	    "{'name': 'id', 'in': 'path', 'required': true, 'schema': {'type': 'string'}}, "
	    "{'name': 'name', 'in': 'path', 'required': true, 'schema': {'type': 'string'}}], "
	    "'responses': {'200': {'description': 'The file.'}, '404': " FAILS("Not here, or not any more.") "}}}");
	add(paths, "/openapi.json",
	    "{'get': {'operationId': 'get-openapi', 'summary': 'This document', 'responses': {'200': "
	    "{'description': 'The document.', 'content': {'application/json': {}}}}}}");
	add(paths, "/healthz",
	    "{'get': {'operationId': 'get-health', 'summary': 'Whether the gateway answers', 'responses': {'200': "
	    "{'description': 'It does.'}}}}");
	return paths;
}
