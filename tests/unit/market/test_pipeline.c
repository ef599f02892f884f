#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/base/json.h>
#include <lpd/market/pipeline.h>
#include <lpd/market/request.h>

static void the_rows_are_the_networks_ten(void **state)
{
	(void)state;
	static const struct {
		const char *name, *title;
		uint32_t capability;
		const char *model_param, *default_model;
	} wanted[] = {
		{ "text-to-image", "Text to image", 27, "model_id", "stabilityai/sdxl-turbo" },
		{ "image-to-image", "Image to image", 28, "model_id", "stabilityai/sdxl-turbo" },
		{ "image-to-video", "Image to video", 29, "model_id",
		  "stabilityai/stable-video-diffusion-img2vid-xt" },
		{ "upscale", "Upscale", 30, "model_id",
		  "stabilityai/stable-diffusion-x4-upscaler" },
		{ "audio-to-text", "Audio to text", 31, "model_id", "openai/whisper-large-v3" },
		{ "segment-anything-2", "Segment anything 2", 32, "model_id",
		  "facebook/sam2-hiera-large" },
		{ "llm", "Llm", 33, "model", "meta-llama/llama-3.1-8B-Instruct" },
		{ "image-to-text", "Image to text", 34, "model_id",
		  "Salesforce/blip-image-captioning-large" },
		{ "live-video-to-video", "Live video to video", 35, "model_id", "noop" },
		{ "text-to-speech", "Text to speech", 36, "model_id",
		  "parler-tts/parler-tts-large-v1" },
	};
	int n;
	const struct lp_pipeline *rows = lp_pipelines(&n);

	assert_int_equal(n, 10);
	for (int i = 0; i < n; i++) {
		assert_string_equal(rows[i].name, wanted[i].name);
		assert_string_equal(rows[i].title, wanted[i].title);
		assert_int_equal(rows[i].capability, wanted[i].capability);
		assert_string_equal(rows[i].model_param, wanted[i].model_param);
		assert_string_equal(rows[i].default_model, wanted[i].default_model);
		assert_ptr_equal(lp_pipeline_find(lp_span(wanted[i].name)), &rows[i]);
		assert_ptr_equal(lp_pipeline_of_capability(wanted[i].capability), &rows[i]);
	}
	assert_null(lp_pipeline_find(LP_SPAN("Text-to-image")));
	assert_null(lp_pipeline_of_capability(37));
}

static void every_row_is_whole(void **state)
{
	(void)state;
	int n;
	const struct lp_pipeline *rows = lp_pipelines(&n);

	for (int i = 0; i < n; i++) {
		int files = 0;

		assert_non_null(rows[i].units);
		assert_true(rows[i].body_limit >= 1 << 20);
		assert_true(rows[i].help &&
			    lp_pipeline_param(&rows[i], lp_span(rows[i].model_param)) >= 0);
		assert_int_equal(rows[i].media_extension != NULL,
				 rows[i].result == LP_RESULT_MEDIA);
		if (rows[i].steps_param)
			assert_true(lp_pipeline_param(&rows[i], lp_span(rows[i].steps_param)) >= 0);
		for (int p = 0; p < rows[i].n_params; p++) {
			const struct lp_param *param = &rows[i].params[p];

			files += param->kind == LP_PARAM_FILE;
			assert_true(param->help && param->max >= param->min);
			if (param->fill || param->gateway_fills || param->always)
				assert_non_null(param->preset);
		}
		assert_int_equal(files, rows[i].body == LP_BODY_MULTIPART);
	}
}

static void all_but_live_video_is_served(void **state)
{
	(void)state;
	int n, served = 0;
	const struct lp_pipeline *rows = lp_pipelines(&n);

	for (int i = 0; i < n; i++)
		served += rows[i].served;
	assert_int_equal(served, n - 1);
	assert_false(lp_pipeline_find(LP_SPAN("live-video-to-video"))->served);
}

static void json_keys_match_without_case_and_exactly_first(void **state)
{
	(void)state;
	const struct lp_pipeline *row = lp_pipeline_find(LP_SPAN("text-to-image"));

	assert_int_equal(lp_pipeline_param(row, LP_SPAN("Prompt")), -1);
	assert_int_equal(lp_pipeline_param_icase(row, LP_SPAN("Prompt")),
			 lp_pipeline_param(row, LP_SPAN("prompt")));
	assert_int_equal(lp_pipeline_param_icase(row, LP_SPAN("colour")), -1);
}

static json_t *at(json_t *json, const char *path[])
{
	for (int i = 0; path[i]; i++) {
		json = json_object_get(json, path[i]);
		assert_non_null(json);
	}
	return json;
}

#define AT(json, ...) at(json, (const char *[]){ __VA_ARGS__, NULL })

static void the_document_describes_what_is_served(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_buf text = { 0 };
	json_t *all;

	lp_pipelines_openapi(&text);
	assert_int_equal(lp_json_parse(scope, &all, lp_buf_span(&text), NULL), LP_OK);
	assert_string_equal(json_string_value(AT(all, "openapi")), "3.1.0");
	assert_int_equal(json_object_size(AT(all, "paths")), 9 + 7);
	json_t *t2i = AT(all, "paths", "/text-to-image", "post", "requestBody", "content",
			 "application/json", "schema");
	json_t *width = AT(t2i, "properties", "width");

	assert_int_equal(json_integer_value(AT(width, "default")), 512);
	assert_true(json_number_value(AT(width, "maximum")) == 4096);
	assert_true(json_number_value(AT(width, "minimum")) == 64);
	/* null is absent: optional fields are nullable, or clients that check refuse to send it. */
	assert_string_equal(json_string_value(json_array_get(AT(width, "type"), 1)), "null");
	assert_int_equal(json_array_size(AT(t2i, "required")), 1);
	assert_string_equal(json_string_value(AT(t2i, "properties", "model_id", "default")),
			    "stabilityai/sdxl-turbo");
	/* What is raised to the least has no least for clients. */
	assert_null(json_object_get(AT(t2i, "properties", "num_images_per_prompt"), "minimum"));
	AT(all, "paths", "/upscale", "post", "requestBody", "content", "multipart/form-data",
	   "schema", "properties", "image");
	json_t *video = AT(all, "paths", "/image-to-video", "post", "requestBody", "content",
			   "multipart/form-data", "schema", "properties");
	assert_int_equal(json_integer_value(AT(video, "fps", "default")), 6);
	assert_int_equal(json_integer_value(AT(video, "width", "multipleOf")), 8);
	/* The gateway writes it, whatever a client says. */
	json_t *audio = AT(all, "paths", "/audio-to-text", "post", "requestBody", "content",
			   "multipart/form-data", "schema", "properties");
	assert_null(json_object_get(audio, "metadata"));
	AT(all, "components", "schemas", "TextResponse", "properties", "chunks");
	AT(all, "components", "schemas", "MasksResponse", "properties", "logits");
	json_t *llm = AT(all, "paths", "/llm", "post", "requestBody", "content", "application/json",
			 "schema", "properties");
	assert_true(json_is_false(AT(llm, "stream", "default")));
	assert_string_equal(json_string_value(AT(llm, "messages", "type")), "array");
	AT(all, "paths", "/llm", "post", "responses", "200", "content", "text/event-stream");
	AT(all, "components", "schemas", "Error", "properties", "detail");
	lp_buf_clear(&text);
	lp_scope_close(&scope);
}

/* "#/a/b" leads somewhere in the document. */
static void follow(json_t *all, const char *ref)
{
	struct lp_span rest = lp_span(ref);
	char name[64];

	assert_true(lp_span_is(lp_span_cut(&rest, '/'), "#"));
	while (rest.len) {
		lp_span_copy(name, sizeof(name), lp_span_cut(&rest, '/'));
		all = json_object_get(all, name);
		if (!all)
			fail_msg("%s leads nowhere", ref);
	}
}

/* Returns how many references there are. */
static int follow_all(json_t *all, json_t *tree)
{
	const char *key;
	json_t *value;
	size_t i;
	int n = 0;

	if (json_is_object(tree)) {
		json_object_foreach(tree, key, value) {
			if (strcmp(key, "$ref") == 0)
				follow(all, json_string_value(value));
			n += strcmp(key, "$ref") == 0;
			n += follow_all(all, value);
		}
	}
	json_array_foreach(tree, i, value)
		n += follow_all(all, value);
	return n;
}

static bool names(json_t *list, const char *ref)
{
	json_t *value;
	size_t i;

	json_array_foreach(list, i, value)
		if (strcmp(json_string_value(AT(value, "$ref")), ref) == 0)
			return true;
	return false;
}

static void the_document_says_what_all_pipelines_have_in_common(void **state)
{
	(void)state;
	struct lp_scope *scope = lp_scope_open(NULL, "test");
	struct lp_buf text = { 0 };
	int n, pipelines = 0;
	const struct lp_pipeline *rows = lp_pipelines(&n);
	json_t *all, *post;

	lp_pipelines_openapi(&text);
	assert_int_equal(lp_json_parse(scope, &all, lp_buf_span(&text), NULL), LP_OK);
	assert_true(follow_all(all, all) > 200);
	for (int i = 0; i < n; i++) {
		if (!rows[i].served)
			continue;
		post = AT(all, "paths", lp_fmt(scope, "/%s", rows[i].name), "post");
		assert_true(names(AT(post, "parameters"), "#/components/parameters/Prefer"));
		assert_true(names(AT(post, "parameters"), "#/components/parameters/IdempotencyKey"));
		assert_true(names(AT(post, "parameters"), "#/components/parameters/LpTrace"));
		assert_true(names(AT(post, "parameters"), "#/components/parameters/LpOrchestrator"));
		AT(post, "responses", "202", "headers", "Location");
		AT(post, "responses", "200", "headers", "Idempotency-Replayed");
		AT(post, "responses", "503", "headers", "Retry-After");
		pipelines++;
	}
	assert_int_equal(pipelines, 9);
	AT(all, "paths", "/jobs", "get", "responses", "403");
	AT(all, "paths", "/jobs/{id}", "delete", "responses", "204");
	AT(all, "paths", "/jobs/{id}/result", "get", "responses", "202", "headers", "Retry-After");
	AT(all, "paths", "/image-to-video/result", "post", "requestBody");
	lp_buf_clear(&text);
	lp_scope_close(&scope);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rows_are_the_networks_ten),
		cmocka_unit_test(every_row_is_whole),
		cmocka_unit_test(all_but_live_video_is_served),
		cmocka_unit_test(json_keys_match_without_case_and_exactly_first),
		cmocka_unit_test(the_document_describes_what_is_served),
		cmocka_unit_test(the_document_says_what_all_pipelines_have_in_common),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
