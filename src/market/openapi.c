#include <lpd/market/pipeline.h>

#include <string.h>

#include "openapi_priv.h"

/* Everything is built as a tree and written at once; json_pack takes over the references it is
 * given ("o"). */

static json_t *schema_type(const struct lp_param *param)
{
	switch (param->kind) {
	case LP_PARAM_STRING:
		return json_pack("{s:s}", "type", "string");
	case LP_PARAM_INT:
		return json_pack("{s:s}", "type", "integer");
	case LP_PARAM_FLOAT:
		return json_pack("{s:s}", "type", "number");
	case LP_PARAM_BOOL:
		return json_pack("{s:s}", "type", "boolean");
	case LP_PARAM_FILE:
		return json_pack("{s:s, s:s}", "type", "string", "contentMediaType",
				 "application/octet-stream");
	case LP_PARAM_MESSAGES:
		return json_pack("{s:s, s:i, s:{s:s}}", "type", "array", "minItems", 1, "items",
				 "$ref", "#/components/schemas/Message");
	case LP_PARAM_OBJECT:
		break;
	}
	return json_pack("{s:s}", "type", "object");
}

static json_t *preset_value(const struct lp_param *param)
{
	struct lp_span text = lp_span(param->preset);
	int64_t number = 0;
	bool truth = false;

	if (param->kind == LP_PARAM_INT && lp_span_i64(text, &number))
		return json_integer(number);
	if (param->kind == LP_PARAM_BOOL && lp_span_bool(text, &truth))
		return json_boolean(truth);
	return json_string(param->preset);
}

static void add_range(json_t *schema, const struct lp_param *param)
{
	bool number = param->kind == LP_PARAM_INT || param->kind == LP_PARAM_FLOAT;

	if (param->kind == LP_PARAM_STRING)
		json_object_set_new(schema, "maxLength",
				    json_integer(param->max > 0 ? (json_int_t)param->max
								: LP_TEXT_MAX));
	if (!number || (param->min == 0 && param->max == 0))
		return;
	/* What is below the least is raised, so no least is declared: clients would refuse what is
	 * taken. */
	if (!param->raise)
		json_object_set_new(schema, "minimum", json_real(param->min));
	json_object_set_new(schema, "maximum", json_real(param->max));
}

static json_t *param_schema(const struct lp_pipeline *row, const struct lp_param *param)
{
	json_t *schema = schema_type(param);

	/* null is absent everywhere: the Go SDK sends it. */
	if (!param->required && row->body == LP_BODY_JSON)
		json_object_set_new(schema, "type",
				    json_pack("[O, s]", json_object_get(schema, "type"), "null"));
	json_object_set_new(schema, "description", json_string(param->help));
	add_range(schema, param);
	if (param->multiple)
		json_object_set_new(schema, "multipleOf", json_integer(param->multiple));
	if (param->preset)
		json_object_set_new(schema, "default", preset_value(param));
	if (strcmp(param->name, row->model_param) == 0)
		json_object_set_new(schema, "default", json_string(row->default_model));
	return schema;
}

static json_t *request_schema(const struct lp_pipeline *row)
{
	json_t *properties = json_object(), *required = json_array();

	for (int i = 0; i < row->n_params; i++) {
		const struct lp_param *param = &row->params[i];

		if (param->ours)
			continue;
		json_object_set_new(properties, param->name, param_schema(row, param));
		if (param->required)
			json_array_append_new(required, json_string(param->name));
	}
	return json_pack("{s:s, s:o, s:o}", "type", "object", "properties", properties, "required",
			 required);
}

/* Which of the shared schemas answers a row. */
static json_t *answer_schema(const struct lp_pipeline *row)
{
	const char *name = row->answer;

	if (!name && row->result == LP_RESULT_EVENTS)
		name = "LLMResponse";
	if (!name)
		name = lp_span_is(lp_span(row->media_extension), ".wav") ? "AudioResponse" : "ImageResponse";
	return json_pack("{s:o}", "$ref", json_sprintf("#/components/schemas/%s", name));
}

/* 429 and 503 say when to come again. */
static json_t *error_headers(const char *status)
{
	json_t *headers = lp_openapi_job_headers();

	if (strcmp(status, "429") == 0 || strcmp(status, "503") == 0)
		json_object_set_new(headers, "Retry-After",
				    json_pack("{s:s}", "$ref", "#/components/headers/RetryAfter"));
	return headers;
}

static json_t *answers(const struct lp_pipeline *row)
{
	static const struct {
		const char *status, *words;
	} errors[] = {
		{ "400", "The request is malformed." },
		{ "413", "The request is too large." },
		{ "422", "A parameter is missing or out of range; the message names it." },
		{ "429", "Too many requests." },
		{ "500", "The gateway failed." },
		{ "502", "The orchestrators failed at the job." },
		{ "503", "No orchestrator takes the job now." },
		{ "504", "The job took too long." },
		{ "507", "There is no room for the result now." },
	};
	json_t *error, *ok = json_pack("{s:{s:o}}", "application/json", "schema", answer_schema(row));
	json_t *all = json_object();

	if (row->result == LP_RESULT_EVENTS)
		json_object_set_new(ok, "text/event-stream",
				    json_pack("{s:{s:s}}", "schema", "type", "string"));
	json_object_set_new(all, "200", json_pack("{s:s, s:o, s:o}", "description", "Done.", "headers",
						  lp_openapi_job_headers(), "content", ok));
	json_object_set_new(all, "202", lp_openapi_accepted());
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		error = json_pack("{s:s, s:o, s:{s:{s:{s:s}}}}", "description", errors[i].words, "headers",
				  error_headers(errors[i].status), "content", "application/json", "schema",
				  "$ref", "#/components/schemas/Error");
		json_object_set_new(all, errors[i].status, error);
	}
	return all;
}

static json_t *path_item(const struct lp_pipeline *row)
{
	const char *type = row->body == LP_BODY_JSON ? "application/json" : "multipart/form-data";

	return json_pack("{s:{s:s, s:s, s:s, s:o, s:{s:b, s:{s:{s:o}}}, s:o}}", "post", "operationId",
			 row->name, "summary", row->title, "description", row->help, "parameters",
			 lp_openapi_job_parameters(), "requestBody", "required", 1, "content", type, "schema",
			 request_schema(row), "responses", answers(row));
}

static json_t *object_of(json_t *properties)
{
	return json_pack("{s:s, s:o}", "type", "object", "properties", properties);
}

static json_t *typed(const char *type)
{
	return json_pack("{s:s}", "type", type);
}

static json_t *list_of(json_t *items)
{
	return json_pack("{s:s, s:o}", "type", "array", "items", items);
}

static json_t *llm_schema(void)
{
	json_t *choice = object_of(json_pack("{s:o, s:o, s:{s:s}, s:{s:s}}", "index",
					     typed("integer"), "finish_reason", typed("string"),
					     "message", "$ref", "#/components/schemas/Message",
					     "delta", "$ref", "#/components/schemas/Message"));
	json_t *usage = object_of(json_pack("{s:o, s:o, s:o}", "prompt_tokens", typed("integer"),
					    "completion_tokens", typed("integer"), "total_tokens",
					    typed("integer")));

	return object_of(json_pack("{s:o, s:o, s:o, s:o, s:o}", "id", typed("string"), "model",
				   typed("string"), "created", typed("integer"), "choices",
				   list_of(choice), "usage", usage));
}

static json_t *error_schema(void)
{
	json_t *error = object_of(
		json_pack("{s:o, s:o}", "message", typed("string"), "code", typed("string")));
	json_t *detail = json_pack("{s:[s, s]}", "type", "object", "array");

	return object_of(json_pack("{s:o, s:o}", "error", error, "detail", detail));
}

/* Words with their times, of which the last may have no end. */
static json_t *text_schema(void)
{
	json_t *times = list_of(json_pack("{s:[s, s]}", "type", "number", "null"));
	json_t *chunk = object_of(json_pack("{s:o, s:o}", "text", typed("string"), "timestamp", times));

	return object_of(json_pack("{s:o, s:o}", "text", typed("string"), "chunks", list_of(chunk)));
}

/* Each is text that holds lists of numbers. */
static json_t *masks_schema(void)
{
	return object_of(json_pack("{s:o, s:o, s:o}", "masks", typed("string"), "scores", typed("string"), "logits",
				   typed("string")));
}

static json_t *schemas(void)
{
	json_t *media = object_of(json_pack("{s:o, s:o, s:o}", "url", typed("string"), "seed",
					    typed("integer"), "nsfw", typed("boolean")));
	json_t *audio = object_of(json_pack("{s:o}", "url", typed("string")));
	json_t *role = json_pack("{s:s, s:[s, s, s]}", "type", "string", "enum", "system", "user",
				 "assistant");

	json_t *all = json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "ImageResponse",
		object_of(json_pack("{s:o}", "images", list_of(media))), "AudioResponse",
		object_of(json_pack("{s:o}", "audio", audio)), "TextResponse", text_schema(),
		"MasksResponse", masks_schema(), "ImageToTextResponse",
		object_of(json_pack("{s:o}", "text", typed("string"))), "Message",
		object_of(json_pack("{s:o, s:o}", "role", role, "content", typed("string"))),
		"LLMResponse", llm_schema(), "Error", error_schema());
	json_t *jobs = lp_openapi_job_schemas();

	json_object_update(all, jobs);
	json_decref(jobs);
	return all;
}

static json_t *components(void)
{
	return json_pack("{s:o, s:o, s:o}", "schemas", schemas(), "parameters", lp_openapi_parameters(), "headers",
			 lp_openapi_headers());
}

void lp_pipelines_openapi(struct lp_buf *to)
{
	json_t *paths = lp_openapi_paths();
	int n;
	const struct lp_pipeline *rows = lp_pipelines(&n);

	for (int i = 0; i < n; i++) {
		char path[64] = "/";

		lp_span_copy(path + 1, sizeof(path) - 1, lp_span(rows[i].name));
		if (rows[i].served)
			json_object_set_new(paths, path, path_item(&rows[i]));
	}
	json_t *document =
		json_pack("{s:s, s:{s:s, s:s, s:s}, s:o, s:o}", "openapi", "3.1.0", "info",
			  "title", "Livepeer AI gateway", "description",
			  "The work that this gateway takes, one path for each pipeline.",
			  "version", LPD_VERSION, "paths", paths, "components",
			  components());

	lp_json_write(to, document);
	json_decref(document);
}
