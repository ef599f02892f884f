/* signatures - what the signatures of a paid job cost on this machine, now: `signatures [ROUNDS]` prints one line,
 * milliseconds of processor for one signing and for finding out who signed. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <lpd/base/assert.h>
#include <lpd/eth/key.h>

static double cpu(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

int main(int argc, char **argv)
{
	const int rounds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 2000;
	struct lp_scope *scope = lp_scope_open(NULL, "signatures");
	struct lp_key *key = lp_key_create(scope);
	const struct lp_address us = lp_key_address(key);
	struct lp_hash message = { { 1 } };
	struct lp_sig sig;
	double sign = 0, recover = 0;

	for (int i = 0; i < rounds; i++) {
		double began = cpu();

		message.bytes[i % 32] ^= (uint8_t)i;
		lp_key_sign(&sig, key, &message);
		double signed_at = cpu();
		bool good = lp_sig_check(&sig, &message, us);

		lp_assert(good);
		recover += cpu() - signed_at;
		sign += signed_at - began;
	}
	printf("{\"sign\":%.6f,\"recover\":%.6f}\n", sign / rounds, recover / rounds);
	lp_scope_close(&scope);
	return 0;
}
