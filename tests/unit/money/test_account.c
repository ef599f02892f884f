#include "real_loop.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <lpd/base/log.h>
#include <lpd/eth/keccak.h>
#include <lpd/io/file.h>
#include <lpd/money/account.h>

#include "payments.h"
#include "temp_dir.h"

struct fixture {
	struct real_loop r;
	struct temp_dir dir;
	struct lp_log_sink sink;
	struct lp_account_want want;
	struct lp_account *account;
	struct lp_err e;
};

static int setup(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	real_loop_open(&f.r);
	temp_dir_make(&f.dir);
	lp_log_to_fd(&f.sink, 2, LP_BROKEN);
	f.want = (struct lp_account_want){
		.loop = f.r.loop,
		.log = lp_log_open(f.r.scope, &f.sink),
		.address = "",
		.keystore = "",
		.password = "",
		.data_dir = f.dir.path,
	};
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	real_loop_close(&f->r);
	temp_dir_remove(&f->dir);
	return 0;
}

static enum lp_code open_account(struct fixture *f)
{
	return lp_account_open(f->r.scope, &f->account, &f->want, &f->e);
}

static const char *keystore(struct fixture *f)
{
	return lp_fmt(f->r.scope, "%s/keystore", f->dir.path);
}

/* A file with this key; returns its path. */
static const char *put(struct fixture *f, const char *hex, const char *password)
{
	struct lp_account_file file = { .folder = keystore(f), .password = lp_span(password), .wall = lp_wall(f->r.loop) };
	struct lp_key *key;
	uint8_t secret[32];

	assert_true(lp_hex_read(secret, sizeof(secret), lp_span(hex)));
	assert_int_equal(lp_key_open(f->r.scope, &key, secret, NULL), LP_OK);
	assert_int_equal(lp_account_store(f->r.scope, &file, key, &f->e), LP_OK);
	return file.path;
}

#define ONES "1111111111111111111111111111111111111111111111111111111111111111"
#define TWOS "2222222222222222222222222222222222222222222222222222222222222222"

static void a_private_network_gets_a_key_that_is_found_again(void **state)
{
	struct fixture *f = *state;
	struct lp_address first;

	f->want.make = true;
	assert_int_equal(open_account(f), LP_OK);
	first = lp_account_address(f->account);
	assert_int_equal(open_account(f), LP_OK);
	assert_true(lp_address_eq(first, lp_account_address(f->account)));
}

static void without_a_key_it_says_how_to_make_one(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(open_account(f), LP_CONFIG);
	assert_non_null(strstr(lp_err_words(&f->e), "lpd eth account new"));
	f->want.make = true;
	f->want.address = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A";
	assert_int_equal(open_account(f), LP_CONFIG);	/* that one nobody can make */
}

static void a_key_file_is_for_its_owner_only(void **state)
{
	struct fixture *f = *state;
	struct stat is;

	assert_int_equal(stat(put(f, ONES, ""), &is), 0);
	assert_int_equal(is.st_mode & 0777, 0600);
}

static void the_proof_of_address_is_the_networks(void **state)
{
	struct fixture *f = *state;
	const json_t *row = json_array_get(payments_list(f->r.scope, "orchestrator_request_sig"), 0);
	struct lp_span want = row_bytes(f->r.scope, row, "sig");

	put(f, ONES, "");
	assert_int_equal(open_account(f), LP_OK);
	assert_memory_equal(lp_account_proof(f->account)->bytes, want.at, want.len);
}

static void one_of_several_is_named(void **state)
{
	struct fixture *f = *state;

	put(f, ONES, "");
	put(f, TWOS, "");
	assert_int_equal(open_account(f), LP_CONFIG);
	assert_non_null(strstr(lp_err_words(&f->e), "-ethAcctAddr"));
	f->want.address = "0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a";
	assert_int_equal(open_account(f), LP_OK);
	f->want.address = "nobody";
	assert_int_equal(open_account(f), LP_CONFIG);
}

static void a_file_is_as_good_as_its_folder(void **state)
{
	struct fixture *f = *state;

	f->want.keystore = put(f, ONES, "");
	put(f, TWOS, "");
	assert_int_equal(open_account(f), LP_OK);
	f->want.address = "0x1563915e194d8cfba1943570603f7606a3115508";
	assert_int_equal(open_account(f), LP_CONFIG);
}

static void a_wrong_password_is_said_without_it(void **state)
{
	struct fixture *f = *state;

	put(f, ONES, "right");
	f->want.password = "swordfish";
	assert_int_equal(open_account(f), LP_CONFIG);
	assert_non_null(strstr(lp_err_words(&f->e), "-ethPassword"));
	assert_null(strstr(lp_err_words(&f->e), "swordfish"));
	f->want.password = "right";
	assert_int_equal(open_account(f), LP_OK);
}

static void what_is_no_key_file_is_passed_over(void **state)
{
	struct fixture *f = *state;

	put(f, ONES, "");
	assert_int_equal(lp_file_write(lp_fmt(f->r.scope, "%s/UTC--junk", keystore(f)), LP_SPAN("{}"), 0600, &f->e), LP_OK);
	assert_int_equal(open_account(f), LP_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_private_network_gets_a_key_that_is_found_again, setup, teardown),
		cmocka_unit_test_setup_teardown(without_a_key_it_says_how_to_make_one, setup, teardown),
		cmocka_unit_test_setup_teardown(a_key_file_is_for_its_owner_only, setup, teardown),
		cmocka_unit_test_setup_teardown(the_proof_of_address_is_the_networks, setup, teardown),
		cmocka_unit_test_setup_teardown(one_of_several_is_named, setup, teardown),
		cmocka_unit_test_setup_teardown(a_file_is_as_good_as_its_folder, setup, teardown),
		cmocka_unit_test_setup_teardown(a_wrong_password_is_said_without_it, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_key_file_is_passed_over, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
