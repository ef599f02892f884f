#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <lpd/base/time.h>
#include <lpd/io/file.h>
#include <lpd/run/models.h>

static int setup(void **state)
{
	*state = lp_scope_open(NULL, "test");
	return 0;
}

static int teardown(void **state)
{
	struct lp_scope *scope = *state;

	lp_scope_close(&scope);
	return 0;
}

static enum lp_code parse(void **state, struct lp_models *out, const char *text, struct lp_err *e)
{
	return lp_models_parse(*state, out, lp_span(text), NULL, e);
}

static void every_key_of_an_entry_is_read(void **state)
{
	struct lp_models m;
	struct lp_err e;

	assert_int_equal(parse(state, &m, "[{\"pipeline\":\"llm\",\"model_id\":\"meta/m\",\"url\":\"http://10.0.0.7:8500/p\","
			       "\"token\":\"s3\",\"warm\":true,\"capacity\":16,\"price_per_unit\":8e-8,"
			       "\"pixels_per_unit\":7,\"currency\":\"USD\","
			       "\"optimization_flags\":{\"A\":true,\"B\":\"x\"}}]", &e), LP_OK);
	assert_int_equal(m.n, 1);
	assert_string_equal(m.at[0].pipeline->name, "llm");
	assert_true(lp_span_is(m.at[0].model_id, "meta/m"));
	assert_int_equal(m.at[0].kind, LP_MODEL_EXTERNAL);
	assert_true(lp_span_is(m.at[0].url.host, "10.0.0.7"));
	assert_int_equal(m.at[0].url.port, 8500);
	assert_true(lp_span_is(m.at[0].token, "s3"));
	assert_true(m.at[0].warm);
	assert_int_equal(m.at[0].capacity, 16);
	assert_true(lp_span_is(m.at[0].price_per_unit, "8e-8"));
	assert_int_equal(m.at[0].pixels_per_unit, 7);
	assert_true(lp_span_is(m.at[0].currency, "usd"));
	assert_int_equal(m.at[0].n_flags, 2);
	assert_true(lp_span_is(m.at[0].flags[0].value, "true"));
}

static void absent_keys_have_their_defaults(void **state)
{
	struct lp_models m;
	struct lp_err e;

	assert_int_equal(parse(state, &m, "[{\"pipeline\":\"upscale\",\"model_id\":\"builtin/span-x4\",\"capacity\":0}]", &e),
			 LP_OK);
	assert_int_equal(m.at[0].kind, LP_MODEL_BUILTIN);
	assert_int_equal(m.at[0].capacity, 1);
	assert_false(m.at[0].has_price);
	assert_true(lp_span_is(m.at[0].gateway, "default"));
	assert_true(lp_span_is(m.at[0].currency, "wei"));
}

static void a_price_may_carry_its_currency(void **state)
{
	struct lp_models m;
	struct lp_err e;

	assert_int_equal(parse(state, &m, "[{\"pipeline\":\"llm\",\"model_id\":\"a\",\"price_per_unit\":\"0.5e-2USD\"},"
			       "{\"pipeline\":\"llm\",\"model_id\":\"b\",\"price_per_unit\":\"3 eth\"}]", &e), LP_OK);
	assert_true(lp_span_is(m.at[0].price_per_unit, "0.5e-2"));
	assert_true(lp_span_is(m.at[0].currency, "usd"));
	assert_true(lp_span_is(m.at[1].price_per_unit, "3"));
	assert_true(lp_span_is(m.at[1].currency, "eth"));
}

static void an_entry_for_one_gateway_is_only_a_price(void **state)
{
	struct lp_models m;
	struct lp_err e;

	assert_int_equal(parse(state, &m, "[{\"pipeline\":\"llm\",\"model_id\":\"m\",\"url\":\"http://h:1\","
			       "\"gateway\":\"0xABCDEF1111111111111111111111111111111111\",\"price_per_unit\":0}]", &e),
			 LP_OK);
	assert_int_equal(m.at[0].kind, LP_MODEL_PRICE);
	assert_true(lp_span_is(m.at[0].gateway, "0xabcdef1111111111111111111111111111111111"));
}

static void the_short_form_is_taken(void **state)
{
	struct lp_models m;
	struct lp_err e;

	assert_int_equal(parse(state, &m, "text-to-image:org/m:true,llm:x:0", &e), LP_OK);
	assert_int_equal(m.n, 2);
	assert_true(m.at[0].warm);
	assert_int_equal(m.at[0].kind, LP_MODEL_CONTAINER);
	assert_false(m.at[1].warm);
}

static void mistakes_are_named(void **state)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
		{ "[{\"pipeline\":\"nope\",\"model_id\":\"m\"}]", "there is no pipeline \"nope\"" },
		{ "[{\"model_id\":\"m\"}]", "\"pipeline\" is missing" },
		{ "[{\"pipeline\":\"llm\"}]", "\"model_id\" is missing" },
		{ "[{\"pipeline\":\"llm\",\"model_id\":7}]", "\"model_id\" must be a text" },
		{ "[{\"pipeline\":\"llm\",\"model_id\":\"a\\u001b[31m\"}]", "\"model_id\" must hold no control" },
		{ "[{\"pipeline\":\"llm\",\"model_id\":\"a\",\"token\":\"b\\r\\nX: y\"}]", "\"token\" must hold no control" },
		{ "[{\"pipeline\":\"llm\",\"model_id\":\"m\",\"capacity\":-1}]", "\"capacity\"" },
		{ "[{\"pipeline\":\"llm\",\"model_id\":\"m\",\"warm\":1}]", "\"warm\"" },
		{ "[{\"pipeline\":\"llm\",\"model_id\":\"m\",\"price_per_unit\":-2}]", "not negative" },
		{ "[{\"pipeline\":\"llm\",\"model_id\":\"m\",\"price_per_unit\":\"cheap\"}]", "\"price_per_unit\"" },
		{ "[{\"pipeline\":\"llm\",\"model_id\":\"m\",\"pixels_per_unit\":0}]", "\"pixels_per_unit\"" },
		{ "[{\"pipeline\":\"llm\",\"model_id\":\"m\",\"optimization_flags\":{\"A\":1}}]", "only texts" },
		{ "[{\"pipeline\":\"llm\",\"model_id\":\"m\",\"url\":\"ftp://x\"}]", "\"url\"" },
		{ "[{\"pipeline\":\"llm\",\"model_id\":\"m\",\"vram\":\"much\"}]", "\"vram\" must be a size" },
		{ "[{\"pipeline\":\"llm\",\"model_id\":\"m\",\"deadline\":\"0s\"}]", "\"deadline\" must be a time" },
		{ "[{\"pipeline\":\"llm\",\"model_id\":\"m\",\"deadline\":\"-5s\"}]", "\"deadline\" must be a time" },
		{ "[{\"pipeline\":\"llm\",\"model_id\":\"m\",\"deadline\":90}]", "\"deadline\" must be a text" },
		{ "[{\"pipeline\":\"llm\",\"model_id\":\"m\",\"deadline\":\"90\"}]", "\"deadline\" must be a time" },
		{ "[{\"pipeline\":\"llm\",\"model_id\":\"m\",\"replicas\":1e9}]", "\"replicas\" must be" },
		{ "[{\"pipeline\":\"llm\",\"model_id\":\"m\",\"replicas\":9999,\"concurrency\":9999}]", "at most 100000" },
		{ "[{\"pipeline\":\"llm\",\"model_id\":\"m\",\"url\":\"http://x\",\"replicas\":2}]", "\"replicas\"" },
		{ "[3]", "entry 1 (line 1) is no object" },
		{ "{}", "must be a JSON array" },
		{ "[{]", "no JSON" },
		{ "nofile.json", "names no file" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct lp_models m;
		struct lp_err e = { .code = LP_OK };

		assert_int_equal(parse(state, &m, cases[i].text, &e), LP_CONFIG);
		if (lp_span_find(lp_span(e.words), lp_span(cases[i].words)) < 0)
			fail_msg("%s: got \"%s\"", cases[i].text, e.words);
	}
}

static void a_mistake_is_named_with_its_line(void **state)
{
	struct lp_models m;
	struct lp_err e;

	assert_int_equal(parse(state, &m, "[\n {\"pipeline\":\"llm\",\"model_id\":\"a\"},\n {\"model_id\":\"b\",\n"
			       "  \"pipeline\":\"llm\",\n  \"warm\": 1}\n]", &e), LP_CONFIG);
	assert_string_equal(e.words, "aiModels entry 2 (line 5): \"warm\" must be true or false");
	assert_int_equal(parse(state, &m, "[\n\n{\"pipeline\":\"llm\"}]", &e), LP_CONFIG);
	assert_string_equal(e.words, "aiModels entry 1 (line 3): \"model_id\" is missing");
}

static void our_additions_are_read(void **state)
{
	struct lp_models m;
	struct lp_err e;

	assert_int_equal(parse(state, &m, "[{\"pipeline\":\"llm\",\"model_id\":\"a\",\"replicas\":2,\"concurrency\":3,"
			       "\"capacity\":9,\"vram\":\"12GiB\",\"deadline\":\"90s\"}]", &e), LP_OK);
	assert_int_equal(m.at[0].capacity, 6);
	assert_int_equal(m.at[0].vram, INT64_C(12) << 30);
	assert_int_equal(m.at[0].deadline, 90 * LP_SEC);
	assert_int_equal(parse(state, &m, "[{\"pipeline\":\"llm\",\"model_id\":\"a\",\"concurrency\":4}]", &e), LP_OK);
	assert_int_equal(m.at[0].capacity, 4);
	assert_int_equal(m.at[0].deadline, 0);
}

static void unknown_keys_are_told(void **state)
{
	struct lp_models m;
	struct lp_span unknown;
	struct lp_err e;

	assert_int_equal(lp_models_parse(*state, &m, LP_SPAN("[{\"pipeline\":\"llm\",\"model_id\":\"m\",\"colour\":1}]"),
					 &unknown, &e), LP_OK);
	assert_true(lp_span_is(unknown, "entry 1: colour"));
}

/* ---- what the document says (A-66) ---- */

static struct lp_span file_part(void **state, const char *path, const char *from, const char *to)
{
	struct lp_span text;
	struct lp_err e;
	ptrdiff_t at;

	if (lp_file_read(*state, &text, path, 1 << 20, &e) != LP_OK)
		fail_msg("%s: %s", path, lp_err_words(&e));
	at = lp_span_find(text, lp_span(from));
	assert_true(at >= 0);
	text = lp_span_skip(text, (size_t)at + strlen(from));
	at = lp_span_find(text, lp_span(to));
	assert_true(at >= 0);
	return lp_span_of(text.at, (size_t)at);
}

/* What stands between marks, alternately outside and inside. */
static int marked(struct lp_span text, char mark, struct lp_span *to, int cap)
{
	int n = 0;

	lp_span_cut(&text, mark);
	while (text.len && n < cap) {
		to[n++] = lp_span_cut(&text, mark);
		lp_span_cut(&text, mark);
	}
	return n;
}

static bool among(const struct lp_span *list, int n, struct lp_span what)
{
	for (int i = 0; i < n; i++)
		if (lp_span_eq(list[i], what))
			return true;
	return false;
}

#define KEYS 40

/* Keys in the first column of the table in docs/operating.md. */
static int documented(void **state, struct lp_span *keys)
{
	struct lp_span rest = file_part(state, LP_SOURCE_DIR "/docs/operating.md", "### aiModels.json", "\nAn entry with");
	int n = 0;

	while (rest.len) {
		struct lp_span line = lp_span_cut(&rest, '\n');

		if (!lp_span_starts(line, "| `"))
			continue;
		line = lp_span_skip(line, 1);
		n += marked(lp_span_cut(&line, '|'), '`', keys + n, KEYS - n);
	}
	return n;
}

static void the_document_names_the_keys_that_are_read_and_no_others(void **state)
{
	struct lp_span told[KEYS], known[KEYS];
	int n_told = documented(state, told);
	int n_known = marked(file_part(state, LP_SOURCE_DIR "/src/run/models.c", "known[] = {", "};"), '"', known, KEYS);

	assert_true(n_told >= 10);
	for (int i = 0; i < n_told; i++)
		if (!among(known, n_known, told[i]))
			fail_msg("docs/operating.md has a key that is not known: %.*s", LP_ARG(told[i]));
	for (int i = 0; i < n_known; i++)
		if (!among(told, n_told, known[i]))
			fail_msg("docs/operating.md lacks the key %.*s", LP_ARG(known[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_key_of_an_entry_is_read, setup, teardown),
		cmocka_unit_test_setup_teardown(absent_keys_have_their_defaults, setup, teardown),
		cmocka_unit_test_setup_teardown(a_price_may_carry_its_currency, setup, teardown),
		cmocka_unit_test_setup_teardown(an_entry_for_one_gateway_is_only_a_price, setup, teardown),
		cmocka_unit_test_setup_teardown(the_short_form_is_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(mistakes_are_named, setup, teardown),
		cmocka_unit_test_setup_teardown(a_mistake_is_named_with_its_line, setup, teardown),
		cmocka_unit_test_setup_teardown(our_additions_are_read, setup, teardown),
		cmocka_unit_test_setup_teardown(unknown_keys_are_told, setup, teardown),
		cmocka_unit_test_setup_teardown(the_document_names_the_keys_that_are_read_and_no_others, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
