#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <lpd/base/time.h>
#include <lpd/options/options.h>

/* A fresh set of options for each test, and its last error. */
struct bench {
	struct lp_scope *scope;
	struct lp_options *options;
	struct lp_err err;
	struct lp_buf page;
};

static int setup(void **state)
{
	static struct bench bench;

	bench = (struct bench){ .scope = lp_scope_open(NULL, "test") };
	bench.options = lp_options_open(bench.scope);
	*state = &bench;
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	lp_buf_clear(&bench->page);
	lp_scope_close(&bench->scope);
	return 0;
}

#define ENV(...) ((char *const[]){ __VA_ARGS__ NULL })
#define W(text) ((char *)(uintptr_t)(text))

/* Words after the program's name, cut at blanks. */
static enum lp_code read_line(struct bench *bench, const char *line, char *const *env)
{
	char *argv[32] = { W("lpd") };
	int argc = 1;
	struct lp_span rest = lp_span(line);

	while (rest.len > 0)
		argv[argc++] = lp_strdup(bench->scope, lp_span_cut(&rest, ' '));
	return lp_options_read(bench->options, argc, argv, env, &bench->err);
}

static void taken(struct bench *bench, const char *line)
{
	if (read_line(bench, line, NULL) != LP_OK)
		fail_msg("%s: %s", line, bench->err.words);
}

static void refused(struct bench *bench, const char *line, const char *words)
{
	assert_int_equal(read_line(bench, line, NULL), LP_CONFIG);
	assert_string_equal(bench->err.words, words);
}

static void without_a_word_everything_has_its_default(void **state)
{
	struct bench *bench = *state;
	const struct lp_span *items;

	taken(bench, "");
	assert_string_equal(lp_option_text(bench->options, LP_OPT_NETWORK), "offchain");
	assert_int_equal(lp_option_duration(bench->options, LP_OPT_JOB_TIMEOUT), 10 * LP_MIN);
	assert_int_equal(lp_option_size(bench->options, LP_OPT_MEDIA_BUDGET), 1 << 30);
	assert_int_equal(lp_option_int(bench->options, LP_OPT_MAX_STREAMS), 250);
	assert_int_equal(lp_option_list(bench->options, LP_OPT_ORCH_ADDR, &items), 0);
	assert_false(lp_option_given(bench->options, LP_OPT_NETWORK));
	assert_string_equal(lp_option_source(bench->options, LP_OPT_NETWORK), "default");
	assert_int_equal(lp_options_roles(bench->options), 0);
	assert_int_equal(lp_options_level(bench->options), LP_INFO);
}

static void every_form_of_a_flag_is_understood(void **state)
{
	struct bench *bench = *state;
	const struct lp_span *items;

	taken(bench, "-httpAddr :80 --orchAddr=a:1,,b:2 -mediaBudget=64KiB --jobTimeout 90s -orchSecret=a=b -maxJobs 5");
	assert_string_equal(lp_option_text(bench->options, LP_OPT_HTTP_ADDR), ":80");
	assert_int_equal(lp_option_list(bench->options, LP_OPT_ORCH_ADDR, &items), 2);
	assert_true(lp_span_is(items[0], "a:1") && lp_span_is(items[1], "b:2"));
	assert_int_equal(lp_option_size(bench->options, LP_OPT_MEDIA_BUDGET), 65536);
	assert_int_equal(lp_option_duration(bench->options, LP_OPT_JOB_TIMEOUT), 90 * LP_SEC);
	assert_string_equal(lp_option_text(bench->options, LP_OPT_ORCH_SECRET), "a=b");
	assert_int_equal(lp_option_int(bench->options, LP_OPT_MAX_JOBS), 5);
	assert_string_equal(lp_option_source(bench->options, LP_OPT_MAX_JOBS), "command line");
	taken(bench, "-maxJobs 6 -maxJobs=7");
	assert_int_equal(lp_option_int(bench->options, LP_OPT_MAX_JOBS), 7);
}

static void a_bool_needs_no_value_but_takes_one(void **state)
{
	struct bench *bench = *state;

	taken(bench, "-gateway");
	assert_true(lp_option_bool(bench->options, LP_OPT_GATEWAY));
	taken(bench, "-gateway=false");
	assert_false(lp_option_bool(bench->options, LP_OPT_GATEWAY));
	taken(bench, "-gateway true -v 5");
	assert_true(lp_option_bool(bench->options, LP_OPT_GATEWAY));
	refused(bench, "-gateway=maybe", "-gateway takes true or false, not \"maybe\"");
}

static void the_command_line_beats_the_environment_beats_the_file(void **state)
{
	struct bench *bench = *state;
	struct lp_err *e = &bench->err;

	assert_int_equal(read_line(bench, "-maxJobs 1", ENV(W("LP_MAX_JOBS=2"), W("LP_MAX_STREAMS=2"), )), LP_OK);
	assert_int_equal(lp_options_read_text(bench->options,
					      LP_SPAN("maxJobs 3\nmaxStreams 3\n\nmaxConnections 3"), "a.conf", e),
			 LP_OK);
	assert_int_equal(lp_option_int(bench->options, LP_OPT_MAX_JOBS), 1);
	assert_int_equal(lp_option_int(bench->options, LP_OPT_MAX_STREAMS), 2);
	assert_string_equal(lp_option_source(bench->options, LP_OPT_MAX_STREAMS), "LP_MAX_STREAMS");
	assert_int_equal(lp_option_int(bench->options, LP_OPT_MAX_CONNECTIONS), 3);
	assert_string_equal(lp_option_source(bench->options, LP_OPT_MAX_CONNECTIONS), "a.conf:4");
}

static void the_environment_is_read_under_both_names(void **state)
{
	struct bench *bench = *state;
	char *const *env = ENV(W("PATH=/bin"), W("LP_HTTP_ADDR=:1"), W("LP_AIMODELS=m.json"), W("LP_MEDIA_TTL=5m"),
			       W("LP_PUBLIC_TLS_CERT=c"), W("LP_NETWORK="), W("LP_UNKNOWN=x"), W("LP_VERSION=9"), W("LP_V=6"), );

	assert_int_equal(read_line(bench, "", env), LP_OK);
	assert_string_equal(lp_option_text(bench->options, LP_OPT_HTTP_ADDR), ":1");
	assert_string_equal(lp_option_text(bench->options, LP_OPT_AI_MODELS), "m.json");
	assert_string_equal(lp_option_source(bench->options, LP_OPT_AI_MODELS), "LP_AIMODELS");
	assert_int_equal(lp_option_duration(bench->options, LP_OPT_MEDIA_TTL), 5 * LP_MIN);
	assert_string_equal(lp_option_text(bench->options, LP_OPT_PUBLIC_TLS_CERT), "c");
	/* what compose files make of an unset variable */
	assert_string_equal(lp_option_text(bench->options, LP_OPT_NETWORK), "offchain");
	assert_int_equal(lp_options_level(bench->options), LP_TRACE);
	assert_int_equal(read_line(bench, "", ENV(W("LP_MAX_JOBS=x"), )), LP_CONFIG);
	assert_string_equal(bench->err.words, "LP_MAX_JOBS takes a whole number from 1 to 1000000000, not \"x\"");
}

static void a_file_has_a_line_for_each_option(void **state)
{
	struct bench *bench = *state;
	const struct lp_span text = LP_SPAN("# a gateway\r\n"
					    "\tmode   gateway\r\n"
					    "publicUrl http://x/#a   # the rest is a comment\n"
					    "   \n"
					    "orchAddr a:1, b:2\n"
					    "broadcaster");
	const struct lp_span *items;

	assert_int_equal(lp_options_read_text(bench->options, text, "g.conf", &bench->err), LP_OK);
	assert_int_equal(lp_options_roles(bench->options), LP_ROLE_GATEWAY);
	assert_string_equal(lp_option_text(bench->options, LP_OPT_PUBLIC_URL), "http://x/#a");
	assert_int_equal(lp_option_list(bench->options, LP_OPT_ORCH_ADDR, &items), 2);
	assert_true(lp_span_is(items[1], "b:2"));
	assert_true(lp_option_bool(bench->options, LP_OPT_BROADCASTER));
}

static void a_wrong_line_is_named(void **state)
{
	struct bench *bench = *state;
	static const struct {
		const char *text, *words;
	} rows[] = {
		{ "# x\nmaxJbos 1", "g.conf:2: unknown option maxJbos: did you mean maxJobs?" },
		{ "jobTimeout 10", "g.conf:1: jobTimeout takes a time such as 250ms, 30s or 1h30m, not \"10\"" },
		{ "mediaBudget 1 GB of it", "g.conf:1: mediaBudget takes a size such as 4096, 64KiB or 10MB, not \"1 GB of it\"" },
		{ "logLevel loud", "g.conf:1: logLevel takes broken|unusual|info|debug|trace, not \"loud\"" },
		{ "mode gateway,miner", "g.conf:1: mode takes gateway|orchestrator|worker|remote-signer, not \"gateway,miner\"" },
		{ "config x.conf", "g.conf:1: config does not belong into a file" },
		{ "help", "g.conf:1: help does not belong into a file" },
		{ "httpAddr", NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum lp_code code = lp_options_read_text(bench->options, lp_span(rows[i].text), "g.conf", &bench->err);
		assert_int_equal(code, rows[i].words ? LP_CONFIG : LP_OK);
		if (rows[i].words)
			assert_string_equal(bench->err.words, rows[i].words);
	}
}

static void an_unknown_flag_is_refused_with_the_nearest_name(void **state)
{
	struct bench *bench = *state;

	refused(bench, "-htpAddr :80", "unknown option -htpAddr: did you mean -httpAddr?");
	refused(bench, "--httpaddr=:80", "unknown option -httpaddr: did you mean -httpAddr?");
	refused(bench, "-aiModel x", "unknown option -aiModel: did you mean -aiModels?");
	refused(bench, "-x", "unknown option -x: -help lists those there are");
	refused(bench, "-frobnicate", "unknown option -frobnicate: -help lists those there are");
	refused(bench, "-=1", "unknown option -: -help lists those there are");
}

static void a_missing_value_is_noticed(void **state)
{
	struct bench *bench = *state;

	refused(bench, "-httpAddr", "-httpAddr needs a value");
	refused(bench, "-orchSecret -gateway", "-orchSecret needs a value");
	taken(bench, "-orchSecret -s3cret-");
	assert_string_equal(lp_option_text(bench->options, LP_OPT_ORCH_SECRET), "-s3cret-");
}

static void words_that_are_no_options_are_kept(void **state)
{
	struct bench *bench = *state;
	const char *const *words;
	size_t n;

	taken(bench, "models fetch -network x builtin/y -- -z");
	words = lp_options_words(bench->options, &n);
	assert_int_equal(n, 4);
	assert_string_equal(words[0], "models");
	assert_string_equal(words[2], "builtin/y");
	assert_string_equal(words[3], "-z");
}

static void addresses_are_looked_at(void **state)
{
	struct bench *bench = *state;
	static const char *const good[] = { ":80", "a", "a:0", "127.0.0.1:65535", "[::1]:8935", "[::1]", "https://a:1/x", "unix:///tmp/s" };
	static const char *const bad[] = { "a:65536", "a:", "a:b", "::1:80", "a:1,b:2", "https://" };
	char line[64];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		snprintf(line, sizeof(line), "-httpAddr %s", good[i]);
		taken(bench, line);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(line, sizeof(line), "-httpAddr %s", bad[i]);
		assert_int_equal(read_line(bench, line, NULL), LP_CONFIG);
	}
}

static void roles_come_from_mode_or_the_old_flags(void **state)
{
	struct bench *bench = *state;

	taken(bench, "-orchestrator -aiWorker");
	assert_int_equal(lp_options_roles(bench->options), LP_ROLE_ORCHESTRATOR | LP_ROLE_WORKER);
	assert_int_equal(lp_options_read_text(bench->options, LP_SPAN("mode gateway"), "f", &bench->err), LP_OK);
	assert_int_equal(lp_options_roles(bench->options), LP_ROLE_ORCHESTRATOR | LP_ROLE_WORKER);
	taken(bench, "-orchestrator=false -aiWorker=false -broadcaster -mode worker");
	assert_int_equal(lp_options_roles(bench->options), LP_ROLE_GATEWAY | LP_ROLE_WORKER);
}

static void a_command_line_of_the_node_that_we_replace_is_taken(void **state)
{
	struct bench *bench = *state;
	int n;

	taken(bench, "-gateway -datadir /x -monitor -rtmpAddr 127.0.0.1:0 -httpIngest=true -maxSessions=10 -v 6 "
		     "-redeemerAddr a:1 -orchAddr a:1");
	assert_string_equal(lp_option_text(bench->options, LP_OPT_DATA_DIR), "/x");
	const struct lp_option_note *notes = lp_options_notes(bench->options, &n);
	assert_int_equal(n, 5);
	assert_string_equal(notes[0].flag, "monitor");
	assert_string_equal(notes[4].flag, "redeemerAddr");
	assert_non_null(strstr(notes[4].words, "offchain"));
	taken(bench, "-monitor -monitor=false -transcoder=false");
	lp_options_notes(bench->options, &n);
	assert_int_equal(n, 5);		/* each once; what is off does nothing anywhere */
	refused(bench, "-transcoder", "-transcoder: lpd does not transcode: keep go-livepeer for that, on a machine or port of its own");
	refused(bench, "-transcoder=maybe", "-transcoder takes true or false");
	refused(bench, "-rtmpAddr", "-rtmpAddr needs a value");
	refused(bench, "-rtmpAddr -monitor", "-rtmpAddr needs a value");
}

static void they_are_taken_from_the_environment_and_files_as_well(void **state)
{
	struct bench *bench = *state;
	int n;

	assert_int_equal(read_line(bench, "", ENV(W("LP_RTMPADDR=x"), W("LP_DATADIR=/y"), W("LP_NO_SUCH=1"),)), LP_OK);
	assert_string_equal(lp_option_text(bench->options, LP_OPT_DATA_DIR), "/y");
	lp_options_notes(bench->options, &n);
	assert_int_equal(n, 1);
	assert_int_equal(read_line(bench, "", ENV(W("LP_REDEEMER=true"),)), LP_CONFIG);
	assert_int_equal(lp_options_read_text(bench->options, LP_SPAN("monitor\nmaxSessions 3\n"), "f", &bench->err), LP_OK);
	lp_options_notes(bench->options, &n);
	assert_int_equal(n, 3);
	assert_int_equal(lp_options_read_text(bench->options, LP_SPAN("\nremoteDiscovery"), "f", &bench->err), LP_CONFIG);
	assert_non_null(strstr(bench->err.words, "f:2: remoteDiscovery: "));
}

static void addresses_follow_the_role(void **state)
{
	struct bench *bench = *state;

	taken(bench, "-mode gateway");
	assert_string_equal(lp_options_http_addr(bench->options, LP_ROLE_GATEWAY), "127.0.0.1:9935");
	assert_string_equal(lp_options_cli_addr(bench->options), "127.0.0.1:5935");
	taken(bench, "-mode orchestrator");
	assert_string_equal(lp_options_http_addr(bench->options, LP_ROLE_ORCHESTRATOR), ":8935");
	assert_string_equal(lp_options_cli_addr(bench->options), "127.0.0.1:7935");
	taken(bench, "-serviceAddr https://[2001:db8::1]:8443/x");
	assert_string_equal(lp_options_http_addr(bench->options, LP_ROLE_ORCHESTRATOR), ":8443");
	taken(bench, "-serviceAddr [2001:db8::1]");
	assert_string_equal(lp_options_http_addr(bench->options, LP_ROLE_ORCHESTRATOR), ":8935");
	taken(bench, "-serviceAddr a:1 -httpAddr 127.0.0.1:2");
	assert_string_equal(lp_options_http_addr(bench->options, LP_ROLE_ORCHESTRATOR), "127.0.0.1:2");
	taken(bench, "-mode gateway,orchestrator");
	assert_string_equal(lp_options_http_addr(bench->options, LP_ROLE_GATEWAY), "127.0.0.1:2");
	assert_string_equal(lp_options_http_addr(bench->options, LP_ROLE_ORCHESTRATOR), ":1");
}

static void the_stronger_of_level_and_verbosity_decides(void **state)
{
	struct bench *bench = *state;

	taken(bench, "-v 6");
	assert_int_equal(lp_options_level(bench->options), LP_TRACE);
	assert_int_equal(lp_options_read_text(bench->options, LP_SPAN("logLevel broken"), "f", &bench->err), LP_OK);
	assert_int_equal(lp_options_level(bench->options), LP_TRACE);
	taken(bench, "-logLevel debug");
	assert_int_equal(lp_options_level(bench->options), LP_DEBUG);
}

static void the_home_folder_is_resolved(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(read_line(bench, "", ENV(W("HOME=/users/ann"), )), LP_OK);
	assert_string_equal(lp_option_text(bench->options, LP_OPT_DATA_DIR), "/users/ann/.lpd");
	assert_int_equal(read_line(bench, "-dataDir /data/~", ENV(W("HOME=/users/ann"), )), LP_OK);
	assert_string_equal(lp_option_text(bench->options, LP_OPT_DATA_DIR), "/data/~");
}

/* The path of a new file with that text; whoever asked removes it. */
static const char *file_with(struct bench *bench, const char *text)
{
	char path[] = "/tmp/test_options_XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	return lp_strdup(bench->scope, lp_span(path));
}

static void the_named_file_is_read(void **state)
{
	struct bench *bench = *state;
	const char *path = file_with(bench, "maxJobs 9\n");
	const char *line = lp_fmt(bench->scope, "-config %s", path);

	taken(bench, line);
	assert_int_equal(lp_option_int(bench->options, LP_OPT_MAX_JOBS), 9);
	assert_string_equal(lp_option_source(bench->options, LP_OPT_MAX_JOBS), lp_fmt(bench->scope, "%s:1", path));
	unlink(path);
	assert_int_equal(read_line(bench, line, NULL), LP_CONFIG);
	assert_string_equal(bench->err.words, lp_fmt(bench->scope, "cannot read %s: No such file or directory", path));
	/* -help works with a configuration that is broken */
	taken(bench, lp_fmt(bench->scope, "%s -h", line));
	assert_true(lp_option_bool(bench->options, LP_OPT_HELP));
}

static void a_secret_may_stand_in_a_file_and_is_never_shown(void **state)
{
	struct bench *bench = *state;
	const char *path = file_with(bench, "  hush \nmore\n");

	taken(bench, lp_fmt(bench->scope, "-orchSecret %s -maxJobs 3", path));
	unlink(path);
	assert_string_equal(lp_option_text(bench->options, LP_OPT_ORCH_SECRET), "hush");
	lp_options_write(bench->options, &bench->page);
	assert_string_equal(lp_buf_text(&bench->page), "maxJobs 3  (command line)\norchSecret ***  (command line)\n");
}

static void help_names_every_option_within_80_columns(void **state)
{
	struct bench *bench = *state;

	lp_options_help(&bench->page, 0);
	struct lp_span rest = lp_buf_span(&bench->page);
	for (int i = 0; i < LP_OPTIONS; i++)
		assert_true(lp_span_find(rest, lp_span(lp_fmt(bench->scope, "\n  -%s", lp_option_flag((enum lp_option)i)))) > 0);
	assert_true(lp_span_find(rest, LP_SPAN("\nOrchestrator and worker:\n")) > 0);
	assert_true(lp_span_find(rest, LP_SPAN("(default 10m)")) > 0);
	while (rest.len > 0) {
		struct lp_span line = lp_span_cut(&rest, '\n');
		if (line.len > 80)
			fail_msg("too long: %.*s", LP_ARG(line));
		assert_int_equal(lp_span_trim(line).len + (size_t)(lp_span_trim(line).at - line.at), line.len);
	}
}

static void help_with_a_mode_is_about_that_mode(void **state)
{
	struct bench *bench = *state;

	lp_options_help(&bench->page, LP_ROLE_GATEWAY);
	assert_true(lp_span_find(lp_buf_span(&bench->page), LP_SPAN("\n  -drainTimeout ")) > 0);
	assert_true(lp_span_find(lp_buf_span(&bench->page), LP_SPAN("\n  -publicUrl ")) > 0);
	assert_true(lp_span_find(lp_buf_span(&bench->page), LP_SPAN("\n  -orchAddr ")) > 0);
	assert_true(lp_span_find(lp_buf_span(&bench->page), LP_SPAN("\n  -serviceAddr ")) < 0);
}

static void the_document_has_a_row_for_every_option(void **state)
{
	struct bench *bench = *state;

	lp_options_doc(&bench->page);
	struct lp_span text = lp_buf_span(&bench->page);
	for (int i = 0; i < LP_OPTIONS; i++)
		assert_true(lp_span_find(text, lp_span(lp_fmt(bench->scope, "\n| `-%s` | ", lp_option_flag((enum lp_option)i)))) > 0);
	assert_true(lp_span_find(text, LP_SPAN("| gateway\\|orchestrator\\|worker\\|remote-signer | ")) > 0);
	assert_true(lp_span_find(text, LP_SPAN("`LP_AI_PROCESSING_RETRY_TIMEOUT`")) > 0);
	assert_true(lp_span_find(text, LP_SPAN("`LP_HELP`")) < 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(without_a_word_everything_has_its_default),
		TEST(every_form_of_a_flag_is_understood),
		TEST(a_bool_needs_no_value_but_takes_one),
		TEST(the_command_line_beats_the_environment_beats_the_file),
		TEST(the_environment_is_read_under_both_names),
		TEST(a_file_has_a_line_for_each_option),
		TEST(a_wrong_line_is_named),
		TEST(an_unknown_flag_is_refused_with_the_nearest_name),
		TEST(a_missing_value_is_noticed),
		TEST(words_that_are_no_options_are_kept),
		TEST(addresses_are_looked_at),
		TEST(a_command_line_of_the_node_that_we_replace_is_taken),
		TEST(they_are_taken_from_the_environment_and_files_as_well),
		TEST(roles_come_from_mode_or_the_old_flags),
		TEST(addresses_follow_the_role),
		TEST(the_stronger_of_level_and_verbosity_decides),
		TEST(the_home_folder_is_resolved),
		TEST(the_named_file_is_read),
		TEST(a_secret_may_stand_in_a_file_and_is_never_shown),
		TEST(help_names_every_option_within_80_columns),
		TEST(the_document_has_a_row_for_every_option),
		TEST(help_with_a_mode_is_about_that_mode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
