#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <lpd/io/reach.h>

static int scope_open(void **state)
{
	*state = lp_scope_open(NULL, "test");
	return 0;
}

static int scope_close(void **state)
{
	struct lp_scope *scope = *state;

	lp_scope_close(&scope);
	return 0;
}

static struct lp_url url_of(void **state, const char *text)
{
	struct lp_url url;
	struct lp_err e;

	if (lp_url_parse(*state, &url, lp_span(text), &e) != LP_OK)
		fail_msg("%s: %s", text, lp_err_words(&e));
	return url;
}

static void a_host_is_known_by_its_address_however_it_is_written(void **state)
{
	static const struct {
		const char *url;
		enum lp_reach reach;
	} rows[] = {
		{ "https://127.0.0.1:8935", LP_REACH_OWN },
		{ "https://127.8.9.10", LP_REACH_OWN },
		{ "https://0.0.0.0:1", LP_REACH_OWN },
		{ "https://127.1:8935", LP_REACH_OWN },
		{ "https://2130706433:8935", LP_REACH_OWN },
		{ "https://0x7f000001:8935", LP_REACH_OWN },
		{ "https://0177.0.0.1:8935", LP_REACH_OWN },
		{ "https://[::1]:8935", LP_REACH_OWN },
		{ "https://[::]:8935", LP_REACH_OWN },
		{ "https://[::ffff:127.0.0.1]:8935", LP_REACH_OWN },
		{ "https://LocalHost", LP_REACH_OWN },
		{ "https://localhost.:8935", LP_REACH_OWN },
		{ "https://a.localhost", LP_REACH_OWN },
		{ "unix:/run/x.sock", LP_REACH_OWN },
		{ "http://169.254.169.254", LP_REACH_LINK },
		{ "http://[fe80::1]", LP_REACH_LINK },
		{ "http://[febf::1]", LP_REACH_LINK },
		{ "http://10.1.2.3", LP_REACH_PRIVATE },
		{ "http://172.16.0.1", LP_REACH_PRIVATE },
		{ "http://172.31.255.255", LP_REACH_PRIVATE },
		{ "http://192.168.1.1", LP_REACH_PRIVATE },
		{ "http://100.64.0.1", LP_REACH_PRIVATE },
		{ "http://[fd00::1]", LP_REACH_PRIVATE },
		{ "http://[::ffff:10.0.0.1]", LP_REACH_PRIVATE },
		{ "http://orchestrator", LP_REACH_PRIVATE },
		{ "http://printer.lan", LP_REACH_PRIVATE },
		{ "http://172.32.0.1", LP_REACH_PUBLIC },
		{ "http://11.0.0.1", LP_REACH_PUBLIC },
		{ "http://128.0.0.1", LP_REACH_PUBLIC },
		{ "http://100.128.0.1", LP_REACH_PUBLIC },
		{ "http://[fec0::1]", LP_REACH_PUBLIC },
		{ "http://[::2]", LP_REACH_PUBLIC },
		{ "http://[2001:db8::1]", LP_REACH_PUBLIC },
		{ "http://example.org", LP_REACH_PUBLIC },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct lp_url url = url_of(state, rows[i].url);

		if (lp_reach_of(&url) != rows[i].reach)
			fail_msg("%s is %d", rows[i].url, (int)lp_reach_of(&url));
	}
}

static void a_public_orchestrator_names_public_places_only(void **state)
{
	static const struct {
		const char *asked, *named;
		bool may;
	} rows[] = {
		{ "https://example.org:8935", "https://203.0.113.9:8935", true },
		{ "https://example.org:8935", "https://other.example:1", true },
		{ "https://example.org:8935", "https://127.0.0.1:5935", false },
		{ "https://example.org:8935", "https://localhost:5935", false },
		{ "https://example.org:8935", "http://169.254.169.254", false },
		{ "https://example.org:8935", "http://10.0.0.1", false },
		{ "https://203.0.113.9:8935", "unix:/run/docker.sock", false },
		{ "https://127.0.0.1:8935", "unix:/run/docker.sock", false },
		{ "https://10.0.0.7:8935", "http://127.0.0.1:5935", false },
		{ "https://10.0.0.7:8935", "http://10.0.0.8:8935", true },
		{ "https://10.0.0.7:8935", "http://169.254.169.254", false },
		{ "https://orchestrator:8935", "https://172.18.0.3:8935", true },
		{ "https://127.0.0.1:8935", "https://localhost:9000", true },
		{ "https://127.0.0.1:8935", "https://192.168.1.5:9000", true },
		{ "https://127.0.0.1:8935", "http://169.254.169.254", false },
		{ "https://169.254.1.1:8935", "https://169.254.1.1:9000", true },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct lp_url asked = url_of(state, rows[i].asked), named = url_of(state, rows[i].named);

		if (lp_reach_may_name(&asked, &named) != rows[i].may)
			fail_msg("%s naming %s", rows[i].asked, rows[i].named);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_host_is_known_by_its_address_however_it_is_written, scope_open,
						scope_close),
		cmocka_unit_test_setup_teardown(a_public_orchestrator_names_public_places_only, scope_open,
						scope_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
