#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <lpd/market/request.h>

#include "vectors.h"

static struct lp_scope *scope;

static int open_scope(void **state)
{
	(void)state;
	scope = lp_scope_open(NULL, "test");
	return 0;
}

static int close_scope(void **state)
{
	(void)state;
	lp_scope_close(&scope);
	return 0;
}

static struct lp_request *new_of(const char *pipeline)
{
	return lp_request_new(scope, lp_pipeline_find(lp_span(pipeline)));
}

/* Read and finish; the code and words of whichever failed. */
static enum lp_code take(struct lp_request **req, const char *pipeline, const char *body,
			 enum lp_edge edge, struct lp_err *e)
{
	*req = new_of(pipeline);
	*e = (struct lp_err){ 0 };
	enum lp_code code = lp_request_read_json(scope, *req, lp_span(body), e);

	return code ? code : lp_request_finish(scope, *req, edge, e);
}

static void assert_taken(const char *pipeline, const char *body, enum lp_edge edge,
			 const char *written)
{
	struct lp_request *req;
	struct lp_err e;
	struct lp_buf to = { 0 };
	enum lp_code code = take(&req, pipeline, body, edge, &e);

	if (code)
		print_message("%s: %s\n", body, e.words);
	assert_int_equal(code, LP_OK);
	lp_request_write_json(&to, req);
	assert_string_equal(lp_buf_text(&to), written);
	lp_buf_clear(&to);
}

static void assert_refused(const char *pipeline, const char *body, enum lp_edge edge,
			   enum lp_code code, const char *words)
{
	struct lp_request *req;
	struct lp_err e;

	assert_int_equal(take(&req, pipeline, body, edge, &e), code);
	assert_string_equal(e.words, words);
}

#define TURBO "\"model_id\":\"stabilityai/sdxl-turbo\""
#define CAT_REST "\"num_images_per_prompt\":1,\"prompt\":\"a cat\",\"width\":512}"

static void defaults_and_the_model_are_written_into_the_body(void **state)
{
	(void)state;
	assert_taken("text-to-image", "{\"prompt\":\"a cat\"}", LP_EDGE_GATEWAY,
		     "{\"height\":512," TURBO "," CAT_REST);
	assert_taken("llm", "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}",
		     LP_EDGE_GATEWAY,
		     "{\"max_tokens\":256,\"messages\":[{\"content\":\"hi\",\"role\":\"user\"}],"
		     "\"model\":\"meta-llama/llama-3.1-8B-Instruct\",\"stream\":false}");
	assert_taken("live-video-to-video", "{\"params\":{\"b\":1,\"a\":[]}}", LP_EDGE_GATEWAY,
		     "{\"model_id\":\"noop\",\"params\":{\"a\":[],\"b\":1}}");
}

static void null_and_an_empty_model_are_absent(void **state)
{
	(void)state;
	assert_taken("text-to-image",
		     "{\"model_id\":null,\"loras\":null,\"negative_prompt\":null,\"width\":null,"
		     "\"prompt\":\"a cat\"}",
		     LP_EDGE_GATEWAY, "{\"height\":512," TURBO "," CAT_REST);
	assert_taken("text-to-image", "{\"model_id\":\"\",\"prompt\":\"a cat\"}", LP_EDGE_GATEWAY,
		     "{\"height\":512," TURBO "," CAT_REST);
}

static void unknown_keys_are_ignored_and_case_does_not_matter(void **state)
{
	(void)state;
	assert_taken("text-to-image", "{\"colour\":{\"x\":[1]},\"PROMPT\":\"a cat\",\"prompt2\":3}",
		     LP_EDGE_GATEWAY, "{\"height\":512," TURBO "," CAT_REST);
}

static void every_field_goes_on_in_alphabetical_order(void **state)
{
	(void)state;
	assert_taken("text-to-image",
		     "{\"width\":1024,\"seed\":-7,\"safety_check\":false,\"prompt\":\"a "
		     "<b>&\",\"num_inference_steps\":2,"
		     "\"num_images_per_prompt\":3,\"negative_prompt\":\"\",\"model_id\":\"m\","
		     "\"loras\":\"{}\",\"height\":64,"
		     "\"guidance_scale\":7.5}",
		     LP_EDGE_GATEWAY,
		     "{\"guidance_scale\":7.5,\"height\":64,\"loras\":\"{}\",\"model_id\":\"m\","
		     "\"negative_prompt\":\"\","
		     "\"num_images_per_prompt\":3,\"num_inference_steps\":2,\"prompt\":\"a "
		     "\\u003cb\\u003e\\u0026\","
		     "\"safety_check\":false,\"seed\":-7,\"width\":1024}");
}

static void the_captured_jobs_are_written_byte_by_byte(void **state)
{
	(void)state;
	static const struct {
		const char *capture, *pipeline;
	} rows[] = { { "http_job_text_to_image", "text-to-image" },
		     { "http_job_llm_stream", "llm" } };
	json_t *vectors = vectors_open(scope, "network");

	for (size_t i = 0; i < 2; i++) {
		struct lp_span body = vectors_hex(
			scope, vectors_row(vectors, "captures", rows[i].capture), "body_hex");

		for (int edge = 0; edge < 2; edge++) {
			struct lp_buf to = { 0 };
			struct lp_request *req = new_of(rows[i].pipeline);

			assert_int_equal(lp_request_read_json(scope, req, body, NULL), LP_OK);
			assert_int_equal(lp_request_finish(scope, req,
							   edge ? LP_EDGE_ORCHESTRATOR
								: LP_EDGE_GATEWAY,
							   NULL),
					 LP_OK);
			lp_request_write_json(&to, req);
			assert_true(lp_span_eq(lp_buf_span(&to), body));
			lp_buf_clear(&to);
		}
	}
}

static void whole_floats_are_whole_numbers_and_text_is_not(void **state)
{
	(void)state;
	assert_taken("text-to-image", "{\"prompt\":\"a cat\",\"width\":512.0,\"height\":5.12e2}",
		     LP_EDGE_GATEWAY, "{\"height\":512," TURBO "," CAT_REST);
	assert_refused("text-to-image", "{\"prompt\":\"a\",\"width\":\"64\"}", LP_EDGE_GATEWAY,
		       LP_INVALID, "width must be a whole number");
	assert_refused("text-to-image", "{\"prompt\":\"a\",\"width\":64.5}", LP_EDGE_GATEWAY,
		       LP_INVALID, "width must be a whole number");
	assert_refused("text-to-image", "{\"prompt\":\"a\",\"seed\":1e300}", LP_EDGE_GATEWAY,
		       LP_INVALID, "seed must be a whole number");
	assert_refused("text-to-image", "{\"prompt\":\"a\",\"seed\":true}", LP_EDGE_GATEWAY,
		       LP_INVALID, "seed must be a whole number");
}

static void malformed_bodies_are_bad_requests(void **state)
{
	(void)state;
	static const char *const bodies[] = {
		"",     "{",    "{\"prompt\":}",
		"[]",   "null", "3",
		"{} x", "\xff", "{\"seed\":18446744073709551616,\"prompt\":\"a\"}"
	};
	struct lp_request *req;
	struct lp_err e;

	for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
		assert_int_equal(take(&req, "text-to-image", bodies[i], LP_EDGE_GATEWAY, &e),
				 LP_BAD_REQUEST);
		assert_true(e.words[0]);
	}
}

static void wrong_kinds_name_their_field(void **state)
{
	(void)state;
	static const struct {
		const char *pipeline, *body, *words;
	} rows[] = {
		{ "text-to-image", "{\"prompt\":1}", "prompt must be text" },
		{ "text-to-image", "{\"prompt\":\"a\",\"guidance_scale\":\"7\"}",
		  "guidance_scale must be a number" },
		{ "text-to-image", "{\"prompt\":\"a\",\"safety_check\":1}",
		  "safety_check must be true or false" },
		{ "llm", "{\"messages\":{}}", "messages must be a list" },
		{ "live-video-to-video", "{\"params\":[]}", "params must be an object" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_refused(rows[i].pipeline, rows[i].body, LP_EDGE_GATEWAY, LP_INVALID,
			       rows[i].words);
}

static void ranges_are_checked_at_both_edges(void **state)
{
	(void)state;
	static const struct {
		const char *field, *words;
	} rows[] = {
		{ "\"width\":63", "width must be between 64 and 4096" },
		{ "\"height\":-512", "height must be between 64 and 4096" },
		{ "\"height\":4097", "height must be between 64 and 4096" },
		{ "\"num_images_per_prompt\":11",
		  "num_images_per_prompt must be between 1 and 10" },
		{ "\"seed\":9007199254740992",
		  "seed must be between -9007199254740991 and 9007199254740991" },
		{ "\"guidance_scale\":-0.5", "guidance_scale must be between 0 and 100" },
		{ "\"num_inference_steps\":1001",
		  "num_inference_steps must be between 0 and 1000" },
	};
	char body[200];

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		snprintf(body, sizeof body, "{\"model_id\":\"m\",\"prompt\":\"a\",%s}",
			 rows[i].field);
		assert_refused("text-to-image", body, LP_EDGE_GATEWAY, LP_INVALID, rows[i].words);
		assert_refused("text-to-image", body, LP_EDGE_ORCHESTRATOR, LP_INVALID,
			       rows[i].words);
	}
}

static void too_few_pictures_are_raised_to_one(void **state)
{
	(void)state;
	assert_taken("text-to-image", "{\"prompt\":\"a cat\",\"num_images_per_prompt\":0}",
		     LP_EDGE_GATEWAY, "{\"height\":512," TURBO "," CAT_REST);
	assert_taken("text-to-image", "{\"prompt\":\"a cat\",\"num_images_per_prompt\":-3}",
		     LP_EDGE_GATEWAY, "{\"height\":512," TURBO "," CAT_REST);
}

static void required_fields_are_missed_at_the_gateway(void **state)
{
	(void)state;
	assert_refused("text-to-image", "{}", LP_EDGE_GATEWAY, LP_INVALID, "prompt is required");
	assert_refused("text-to-image", "{\"prompt\":null}", LP_EDGE_GATEWAY, LP_INVALID,
		       "prompt is required");
	assert_refused("text-to-image", "{\"prompt\":\" \\n\\t\"}", LP_EDGE_GATEWAY, LP_INVALID,
		       "prompt must not be empty");
	assert_refused("llm", "{}", LP_EDGE_GATEWAY, LP_INVALID, "messages is required");
	assert_refused("text-to-speech", "{\"text\":\"\"}", LP_EDGE_GATEWAY, LP_INVALID,
		       "text must not be empty");
}

static void an_orchestrator_refuses_in_the_networks_texts(void **state)
{
	(void)state;
	assert_refused("llm",
		       "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"\"}]}",
		       LP_EDGE_ORCHESTRATOR, LP_BAD_REQUEST, "MaxTokens not specified");
	assert_refused("llm", "{\"max_tokens\":5}", LP_EDGE_ORCHESTRATOR, LP_BAD_REQUEST,
		       "model not specified");
	assert_refused("text-to-image", "{\"prompt\":\"a\",\"model_id\":\"\"}",
		       LP_EDGE_ORCHESTRATOR, LP_BAD_REQUEST, "model_id not specified");
	assert_refused("upscale", "{\"prompt\":\"a\",\"model_id\":\"m\"}", LP_EDGE_ORCHESTRATOR,
		       LP_BAD_REQUEST, "image: unknown format");
	assert_refused("text-to-speech", "{\"model_id\":\"m\"}", LP_EDGE_ORCHESTRATOR,
		       LP_BAD_REQUEST, "text field is required");
}

static void an_orchestrator_takes_what_gateways_send(void **state)
{
	(void)state;
	/* No prompt: the runner's to refuse.  What is absent is filled in, or the runner would
	 * make another size than was charged. */
	assert_taken(
		"text-to-image", "{\"model_id\":\"m\"}", LP_EDGE_ORCHESTRATOR,
		"{\"height\":512,\"model_id\":\"m\",\"num_images_per_prompt\":1,\"width\":512}");
	/* A worker's job names the file's field without the file. */
	assert_taken("image-to-video", "{\"image\":null,\"model_id\":\"m\",\"fps\":7}",
		     LP_EDGE_ORCHESTRATOR,
		     "{\"fps\":7,\"height\":576,\"model_id\":\"m\",\"width\":1024}");
	assert_taken("image-to-video", "{\"image\":\"aGk=\",\"model_id\":\"m\"}",
		     LP_EDGE_ORCHESTRATOR,
		     "{\"fps\":6,\"height\":576,\"model_id\":\"m\",\"width\":1024}");
}

static void messages_are_checked(void **state)
{
	(void)state;
	static const struct {
		const char *messages, *words;
	} rows[] = {
		{ "[]", "messages must not be empty" },
		{ "[1]", "messages: role must be system, user or assistant" },
		{ "[{\"role\":\"tool\",\"content\":\"x\"}]",
		  "messages: role must be system, user or assistant" },
		{ "[{\"content\":\"x\"}]", "messages: role must be system, user or assistant" },
		{ "[{\"role\":\"user\"}]", "messages: content must be text" },
		{ "[{\"role\":\"user\",\"content\":[]}]", "messages: content must be text" },
		{ "[{\"role\":\"system\",\"content\":\"\"},{\"role\":\"assistant\",\"content\":"
		  "null}]",
		  "messages: content must be text" },
	};
	char body[200];

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		snprintf(body, sizeof body, "{\"model\":\"m\",\"max_tokens\":1,\"messages\":%s}",
			 rows[i].messages);
		assert_refused("llm", body, LP_EDGE_GATEWAY, LP_INVALID, rows[i].words);
		assert_refused("llm", body, LP_EDGE_ORCHESTRATOR, LP_INVALID, rows[i].words);
	}
	assert_taken(
		"llm",
		"{\"model\":\"m\",\"max_tokens\":1,\"messages\":[{\"name\":\"x\",\"role\":"
		"\"system\",\"content\":\"a\"},"
		"{\"content\":\"b\",\"role\":\"assistant\"}]}",
		LP_EDGE_GATEWAY,
		"{\"max_tokens\":1,\"messages\":[{\"content\":\"a\",\"role\":\"system\"},"
		"{\"content\":\"b\",\"role\":\"assistant\"}],\"model\":\"m\",\"stream\":false}");
}

static void too_many_messages_are_refused(void **state)
{
	(void)state;
	struct lp_buf body = { 0 };

	lp_buf_add_text(&body, "{\"messages\":[0");
	for (int i = 0; i < 4096; i++)
		lp_buf_add_text(&body, ",0");
	lp_buf_add_text(&body, "]}");
	assert_refused("llm", lp_buf_text(&body), LP_EDGE_GATEWAY, LP_INVALID,
		       "messages holds more than 4096 messages");
	lp_buf_clear(&body);
}

static void what_a_runner_would_fail_on_is_refused(void **state)
{
	(void)state;
	static const struct {
		const char *field, *words;
	} rows[] = {
		{ "\"temperature\":3", "temperature must be between 0 and 2" },
		{ "\"top_p\":1.5", "top_p must be between 0 and 1" },
		{ "\"top_k\":-2", "top_k must be between -1 and 1000000" },
		{ "\"max_tokens\":0", "max_tokens must be between 1 and 1048576" },
		{ "\"max_tokens\":-5", "max_tokens must be between 1 and 1048576" },
	};
	char body[200];

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		snprintf(body, sizeof body,
			 "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],%s}",
			 rows[i].field);
		assert_refused("llm", body, LP_EDGE_GATEWAY, LP_INVALID, rows[i].words);
	}
}

static void texts_and_model_names_are_bounded(void **state)
{
	(void)state;
	struct lp_buf body = { 0 };

	lp_buf_add_text(&body, "{\"prompt\":\"");
	for (int i = 0; i < LP_TEXT_MAX + 1; i++)
		lp_buf_add_char(&body, 'a');
	lp_buf_add_text(&body, "\"}");
	assert_refused("text-to-image", lp_buf_text(&body), LP_EDGE_GATEWAY, LP_INVALID,
		       "prompt is longer than 65536 bytes");
	lp_buf_reset(&body);
	lp_buf_add_text(&body, "{\"prompt\":\"a\",\"model_id\":\"");
	for (int i = 0; i < 513; i++)
		lp_buf_add_char(&body, 'm');
	lp_buf_add_text(&body, "\"}");
	assert_refused("text-to-image", lp_buf_text(&body), LP_EDGE_GATEWAY, LP_INVALID,
		       "model_id is no model's name");
	assert_refused("text-to-image", "{\"prompt\":\"a\",\"model_id\":\"m\\nx\"}",
		       LP_EDGE_GATEWAY, LP_INVALID, "model_id is no model's name");
	lp_buf_clear(&body);
}

static void stream_is_known(void **state)
{
	(void)state;
	struct lp_request *req;
	struct lp_err e;

	take(&req, "llm", "{\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}",
	     LP_EDGE_GATEWAY, &e);
	assert_true(req->stream);
	take(&req, "llm", "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", LP_EDGE_GATEWAY,
	     &e);
	assert_false(req->stream);
}

/* Forms. */

static const char tiny_png[33] =
	"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x03\0\0\0\x02\x08\x02\0\0\0\x12\x16\xf1";

static void give_file(struct lp_request *req, const char *filename)
{
	req->file = (struct lp_request_file){
		.given = true, .filename = lp_span(filename), .type = LP_SPAN("image/png"),
		.head = { tiny_png, 33 }, .size = 73,
	};
}

static enum lp_code field(struct lp_request *req, const char *name, const char *value,
			  struct lp_err *e)
{
	return lp_request_read_field(scope, req, lp_span(name), lp_span(value), e);
}

static void the_captured_form_is_written_byte_by_byte(void **state)
{
	(void)state;
	json_t *vectors = vectors_open(scope, "network");
	struct lp_span golden = vectors_hex(
		scope, vectors_row(vectors, "captures", "http_job_image_to_image"), "body_hex");
	const char *boundary = lp_strdup(scope, lp_span_of(golden.at + 2, 60));
	struct lp_request *req = new_of("image-to-image");
	struct lp_buf before = { 0 }, after = { 0 };

	/* In the order in which clients may send them. */
	assert_int_equal(field(req, "seed", "7", NULL), LP_OK);
	assert_int_equal(field(req, "strength", "0.5", NULL), LP_OK);
	assert_int_equal(field(req, "safety_check", "true", NULL), LP_OK);
	assert_int_equal(field(req, "prompt", "a dog", NULL), LP_OK);
	give_file(req, "cat.png");
	assert_int_equal(lp_request_finish(scope, req, LP_EDGE_GATEWAY, NULL), LP_OK);
	lp_request_write_form(&before, &after, boundary, req);
	struct lp_span head = lp_buf_span(&before), tail = lp_buf_span(&after);

	assert_int_equal(head.len + 73 + tail.len, golden.len);
	assert_memory_equal(golden.at, head.at, head.len);
	assert_memory_equal(golden.at + head.len, tiny_png, 24);
	assert_memory_equal(golden.at + golden.len - tail.len, tail.at, tail.len);
	assert_int_equal(req->units, 6);
	lp_buf_clear(&before);
	lp_buf_clear(&after);
}

static void file_names_cannot_break_out_of_their_quotes(void **state)
{
	(void)state;
	struct lp_request *req = new_of("upscale");
	struct lp_buf before = { 0 }, after = { 0 };

	assert_int_equal(field(req, "prompt", "x", NULL), LP_OK);
	give_file(req, "a\"b\\c\r\nd");
	assert_int_equal(lp_request_finish(scope, req, LP_EDGE_GATEWAY, NULL), LP_OK);
	lp_request_write_form(&before, &after, "B", req);
	assert_string_equal(lp_buf_text(&before),
			    "--B\r\nContent-Disposition: form-data; name=\"image\"; "
			    "filename=\"a\\\"b\\\\c%0D%0Ad\"\r\n"
			    "Content-Type: application/octet-stream\r\n\r\n");
	assert_string_equal(
		lp_buf_text(&after),
		"\r\n--B\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\nx\r\n--B\r\n"
		"Content-Disposition: form-data; "
		"name=\"model_id\"\r\n\r\nstabilityai/stable-diffusion-x4-upscaler"
		"\r\n--B--\r\n");
	lp_buf_reset(&before);
	give_file(req, "");
	lp_request_write_form(&before, &after, "B", req);
	assert_true(lp_span_find(lp_buf_span(&before), LP_SPAN("filename=\"image\"")) > 0);
	lp_buf_clear(&before);
	lp_buf_clear(&after);
}

static void the_first_of_several_fields_wins_and_unknown_ones_are_ignored(void **state)
{
	(void)state;
	struct lp_request *req = new_of("upscale");

	assert_int_equal(field(req, "colour", "\xff", NULL), LP_OK);
	assert_int_equal(field(req, "prompt", "first", NULL), LP_OK);
	assert_int_equal(field(req, "prompt", "second", NULL), LP_OK);
	assert_int_equal(field(req, "image", "no file", NULL), LP_OK);
	assert_true(lp_span_is(lp_request_value(req, "prompt")->text, "first"));
	assert_null(lp_request_value(req, "image"));
	assert_null(lp_request_value(req, "seed"));
}

static void fields_that_do_not_parse_are_named(void **state)
{
	(void)state;
	static const struct {
		const char *pipeline, *name, *value, *words;
	} rows[] = {
		{ "image-to-image", "seed", "", "seed must be a whole number" },
		{ "image-to-image", "seed", "1.0", "seed must be a whole number" },
		{ "image-to-image", "strength", "x", "strength must be a number" },
		{ "image-to-image", "strength", "nan", "strength must be a number" },
		{ "image-to-image", "safety_check", "yes", "safety_check must be true or false" },
		{ "image-to-image", "prompt", "\xff", "prompt must be text in UTF-8" },
		{ "llm", "messages", "[]", "messages must be sent as JSON" },
		{ "live-video-to-video", "params", "{}", "params must be sent as JSON" },
	};
	struct lp_err e;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct lp_request *req = new_of(rows[i].pipeline);

		assert_int_equal(field(req, rows[i].name, rows[i].value, &e), LP_INVALID);
		assert_string_equal(e.words, rows[i].words);
	}
}

static void a_missing_or_empty_file_is_refused_at_the_gateway(void **state)
{
	(void)state;
	struct lp_request *req = new_of("upscale");
	struct lp_err e;

	(void)field(req, "prompt", "x", NULL);
	assert_int_equal(lp_request_finish(scope, req, LP_EDGE_GATEWAY, &e), LP_INVALID);
	assert_string_equal(e.words, "image is required, as a part with a file name");
	req->file.given = true;
	assert_int_equal(lp_request_finish(scope, req, LP_EDGE_GATEWAY, &e), LP_INVALID);
	assert_string_equal(e.words, "image is empty");
	req->file.size = 10;
	req->file.head = LP_SPAN("not a picture");
	assert_int_equal(lp_request_finish(scope, req, LP_EDGE_GATEWAY, &e), LP_BAD_REQUEST);
	assert_string_equal(e.words, "image: unknown format");
}

static void a_picture_that_claims_to_be_huge_is_refused(void **state)
{
	(void)state;
	struct lp_request *req = new_of("upscale");
	char head[33];
	struct lp_err e;

	memcpy(head, tiny_png, sizeof head);
	head[16] = 0x7f;
	(void)field(req, "prompt", "x", NULL);
	give_file(req, "a.png");
	req->file.head = lp_span_of(head, sizeof head);
	assert_int_equal(lp_request_finish(scope, req, LP_EDGE_GATEWAY, &e), LP_BAD_REQUEST);
	assert_string_equal(e.words, "image: 2130706435x2 is larger than 32768x32768");
}

static void assert_units(const char *pipeline, const char *body, uint64_t units)
{
	struct lp_request *req = new_of(pipeline);
	struct lp_err e = { 0 };

	give_file(req, "a.png");
	assert_int_equal(lp_request_read_json(scope, req, lp_span(body), &e), LP_OK);
	assert_int_equal(lp_request_finish(scope, req, LP_EDGE_ORCHESTRATOR, &e), LP_OK);
	assert_int_equal(req->units, units);
}

static void units_are_the_networks(void **state)
{
	(void)state;
	assert_units("text-to-image", "{\"model_id\":\"m\"}", 262144);
	assert_units(
		"text-to-image",
		"{\"model_id\":\"m\",\"width\":1024,\"height\":576,\"num_images_per_prompt\":2}",
		1179648);
	assert_units("image-to-image", "{\"model_id\":\"m\",\"num_images_per_prompt\":4}", 24);
	assert_units("image-to-video", "{\"model_id\":\"m\"}", 14745600);
	assert_units("upscale", "{\"model_id\":\"m\"}", 6);
	assert_units("segment-anything-2", "{\"model_id\":\"m\"}", 6);
	assert_units("llm", "{\"model\":\"m\",\"max_tokens\":77}", 77);
	assert_units("image-to-text", "{\"model_id\":\"m\"}", 6);
	assert_units("live-video-to-video", "{\"model_id\":\"m\"}", 1658880000);
	assert_units("text-to-speech", "{\"model_id\":\"m\",\"text\":\"h\xc3\xa9\xe2\x82\xac\"}",
		     3000);
}

/* A row whose file is measured has no units before. */
static enum lp_code measured(struct lp_request **req, int64_t milliseconds, enum lp_edge edge, struct lp_err *e)
{
	assert_int_equal(take(req, "audio-to-text", "{\"model_id\":\"m\",\"metadata\":\"x\"}",
			      LP_EDGE_ORCHESTRATOR, e),
			 LP_OK);
	assert_int_equal((*req)->units, 0);
	return lp_request_measured(scope, *req, milliseconds, edge, e);
}

static void a_recording_costs_its_whole_seconds(void **state)
{
	(void)state;
	static const struct {
		int64_t milliseconds;
		uint64_t units;
		const char *metadata;
	} rows[] = {
		{ 1000, 1000, "{\"duration\":\"1\"}" },
		{ 12999, 12000, "{\"duration\":\"12\"}" },
		{ 3600000, 3600000, "{\"duration\":\"3600\"}" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct lp_request *req;
		struct lp_err e;

		assert_int_equal(measured(&req, rows[i].milliseconds, LP_EDGE_GATEWAY, &e), LP_OK);
		assert_int_equal(req->units, rows[i].units);
		assert_true(lp_span_is(lp_request_value(req, "metadata")->text, rows[i].metadata));
	}
}

static void sound_of_no_length_has_no_units(void **state)
{
	(void)state;
	static const int64_t none[] = { 0, 999, -5, INT64_MIN, INT64_MAX, 1000001000 };

	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
		struct lp_request *req;
		struct lp_err e;

		assert_int_equal(measured(&req, none[i], LP_EDGE_ORCHESTRATOR, &e), LP_BAD_REQUEST);
		assert_string_equal(e.words, "Unable to calculate duration");
	}
	struct lp_request *req;
	struct lp_err e;

	assert_int_equal(measured(&req, 999, LP_EDGE_GATEWAY, &e), LP_INVALID);
	assert_string_equal(e.words, "audio: it plays less than one second");
}

static void a_video_has_sides_that_eight_divides(void **state)
{
	(void)state;
	assert_refused("image-to-video", "{\"model_id\":\"m\",\"width\":1020}", LP_EDGE_ORCHESTRATOR,
		       LP_INVALID, "width must be a multiple of 8");
	assert_refused("image-to-video", "{\"model_id\":\"m\",\"fps\":0}", LP_EDGE_ORCHESTRATOR,
		       LP_INVALID, "fps must be between 1 and 120");
}

/* The network's runner fails at safety_check=false, whatever the picture (ai-http-api 10.3). */
static void a_video_is_always_checked(void **state)
{
	(void)state;
	assert_taken("image-to-video", "{\"model_id\":\"m\",\"safety_check\":false}",
		     LP_EDGE_ORCHESTRATOR,
		     "{\"fps\":6,\"height\":576,\"model_id\":\"m\",\"safety_check\":true,\"width\":1024}");
}

static double work(const char *pipeline, const char *body, uint64_t tokens)
{
	struct lp_request *req;
	struct lp_err e;

	assert_int_equal(take(&req, pipeline, body, LP_EDGE_ORCHESTRATOR, &e), LP_OK);
	return lp_request_work(req, tokens);
}

static void work_counts_steps_where_they_count(void **state)
{
	(void)state;
#define SIZE "\"width\":100,\"height\":100"
	assert_true(work("text-to-image", "{\"model_id\":\"m\"," SIZE "}", 0) == 10000.0 * 50);
	assert_true(work("text-to-image", "{\"model_id\":\"m\"," SIZE ",\"num_inference_steps\":4}",
			 0) == 40000);
	assert_true(work("text-to-image", "{\"model_id\":\"m\"," SIZE ",\"num_inference_steps\":0}",
			 0) == 500000);
	assert_true(work("image-to-video", "{\"model_id\":\"m\",\"width\":80,\"height\":80}", 0) ==
		    6400.0 * 25 * 25);
	assert_true(work("llm", "{\"model\":\"m\",\"max_tokens\":50}", 33) == 33);
	assert_true(work("text-to-speech", "{\"model_id\":\"m\",\"text\":\"hi\"}", 0) == 2000);
#define LIGHT "{\"model_id\":\"ByteDance/SDXL-Lightning"
	assert_true(work("text-to-image", LIGHT "\"," SIZE ",\"num_inference_steps\":4}", 0) ==
		    80000);
	assert_true(work("text-to-image", LIGHT "_4step\"," SIZE "}", 0) == 40000);
	assert_true(work("text-to-image", LIGHT "-4step\"," SIZE "}", 0) == 80000);
	assert_true(work("text-to-image", LIGHT "_step\"," SIZE "}", 0) == 80000);
	assert_true(work("text-to-image", LIGHT "_12step\"," SIZE "}", 0) == 120000);
	assert_true(work("text-to-image", LIGHT "_0step\"," SIZE "}", 0) == 80000);
}

static void no_field_at_all_is_an_empty_object(void **state)
{
	(void)state;
	struct lp_buf to = { 0 };

	lp_request_write_json(&to, new_of("llm"));
	assert_string_equal(lp_buf_text(&to), "{}");
	lp_buf_clear(&to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_and_the_model_are_written_into_the_body),
		cmocka_unit_test(null_and_an_empty_model_are_absent),
		cmocka_unit_test(unknown_keys_are_ignored_and_case_does_not_matter),
		cmocka_unit_test(every_field_goes_on_in_alphabetical_order),
		cmocka_unit_test(the_captured_jobs_are_written_byte_by_byte),
		cmocka_unit_test(whole_floats_are_whole_numbers_and_text_is_not),
		cmocka_unit_test(malformed_bodies_are_bad_requests),
		cmocka_unit_test(wrong_kinds_name_their_field),
		cmocka_unit_test(ranges_are_checked_at_both_edges),
		cmocka_unit_test(too_few_pictures_are_raised_to_one),
		cmocka_unit_test(required_fields_are_missed_at_the_gateway),
		cmocka_unit_test(an_orchestrator_refuses_in_the_networks_texts),
		cmocka_unit_test(an_orchestrator_takes_what_gateways_send),
		cmocka_unit_test(messages_are_checked),
		cmocka_unit_test(too_many_messages_are_refused),
		cmocka_unit_test(what_a_runner_would_fail_on_is_refused),
		cmocka_unit_test(texts_and_model_names_are_bounded),
		cmocka_unit_test(stream_is_known),
		cmocka_unit_test(the_captured_form_is_written_byte_by_byte),
		cmocka_unit_test(file_names_cannot_break_out_of_their_quotes),
		cmocka_unit_test(the_first_of_several_fields_wins_and_unknown_ones_are_ignored),
		cmocka_unit_test(fields_that_do_not_parse_are_named),
		cmocka_unit_test(a_missing_or_empty_file_is_refused_at_the_gateway),
		cmocka_unit_test(a_picture_that_claims_to_be_huge_is_refused),
		cmocka_unit_test(units_are_the_networks),
		cmocka_unit_test(a_recording_costs_its_whole_seconds),
		cmocka_unit_test(sound_of_no_length_has_no_units),
		cmocka_unit_test(a_video_has_sides_that_eight_divides),
		cmocka_unit_test(a_video_is_always_checked),
		cmocka_unit_test(work_counts_steps_where_they_count),
		cmocka_unit_test(no_field_at_all_is_an_empty_object),
	};

	return cmocka_run_group_tests(tests, open_scope, close_scope);
}
