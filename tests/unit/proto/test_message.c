/* proto/message: what is read is bounded, and its text is text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <lpd/proto/lp_rpc.pb-c.h>
#include <lpd/proto/message.h>

static int open_scope(void **state)
{
	*state = lp_scope_open(NULL, "test");
	return 0;
}

static int close_scope(void **state)
{
	struct lp_scope *scope = *state;

	lp_scope_close(&scope);
	return 0;
}

static void a_message_comes_back_as_it_was_written(void **state)
{
	Net__AuthToken token, *back;
	char id[] = "a session";
	struct lp_buf bytes = { 0 };

	net__auth_token__init(&token);
	token.token = lp_message_lend(LP_SPAN("\0\1\2"));
	token.session_id = id;
	token.expiration = 77;
	lp_message_write(&bytes, &token.base);
	back = lp_message_read(*state, &net__auth_token__descriptor, lp_buf_span(&bytes), bytes.len);
	assert_non_null(back);
	assert_true(lp_span_eq(lp_message_bytes(back->token), LP_SPAN("\0\1\2")));
	assert_string_equal(back->session_id, "a session");
	assert_int_equal(back->expiration, 77);
	lp_buf_clear(&bytes);
}

static void no_bytes_are_an_empty_message(void **state)
{
	const Net__AuthToken *empty = lp_message_read(*state, &net__auth_token__descriptor, (struct lp_span){ 0 }, 0);

	assert_non_null(empty);
	assert_int_equal(empty->token.len, 0);
	assert_int_equal(empty->expiration, 0);
}

static void what_is_longer_than_its_bound_is_not_read(void **state)
{
	struct lp_span bytes = LP_SPAN("\x18\x4d");	/* expiration: 77 */

	assert_non_null(lp_message_read(*state, &net__auth_token__descriptor, bytes, 2));
	assert_null(lp_message_read(*state, &net__auth_token__descriptor, bytes, 1));
}

static void bytes_that_end_within_a_field_are_not_read(void **state)
{
	assert_null(lp_message_read(*state, &net__auth_token__descriptor, LP_SPAN("\x0a\x05" "abc"), 64));
}

static void text_that_is_not_utf_8_is_refused_where_bytes_are_taken(void **state)
{
	assert_non_null(lp_message_read(*state, &net__auth_token__descriptor, LP_SPAN("\x0a\x01\xff"), 64));
	assert_null(lp_message_read(*state, &net__auth_token__descriptor, LP_SPAN("\x12\x01\xff"), 64));
}

/* Two bytes make an empty ticket, which is a struct and a pointer here. */
static void many_small_fields_cost_no_more_than_their_size_explains(void **state)
{
	struct lp_buf bytes = { 0 };

	for (int i = 0; i < 10000; i++)
		lp_buf_add_span(&bytes, LP_SPAN("\x22\x00"));
	assert_null(lp_message_read(*state, &net__payment__descriptor, lp_buf_span(&bytes), bytes.len));
	lp_buf_clear(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_message_comes_back_as_it_was_written, open_scope, close_scope),
		cmocka_unit_test_setup_teardown(no_bytes_are_an_empty_message, open_scope, close_scope),
		cmocka_unit_test_setup_teardown(what_is_longer_than_its_bound_is_not_read, open_scope, close_scope),
		cmocka_unit_test_setup_teardown(bytes_that_end_within_a_field_are_not_read, open_scope, close_scope),
		cmocka_unit_test_setup_teardown(text_that_is_not_utf_8_is_refused_where_bytes_are_taken, open_scope,
						close_scope),
		cmocka_unit_test_setup_teardown(many_small_fields_cost_no_more_than_their_size_explains, open_scope,
						close_scope),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
