#include <lpd/base/assert.h>

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The one global of lpd: a crash is process-wide, and so are those who can say something about it. */
static struct lp_witness *witnesses;

/* Set while the witnesses speak, so that a crash inside one of them, or the abort() after a failed
 * assertion, does not ask them again. */
static volatile sig_atomic_t speaking;

void lp_witness_add(struct lp_witness *witness)
{
	witness->next = witnesses;
	witnesses = witness;
}

void lp_witness_remove(struct lp_witness *witness)
{
	for (struct lp_witness **at = &witnesses; *at; at = &(*at)->next) {
		if (*at == witness) {
			*at = witness->next;
			witness->next = NULL;
			return;
		}
	}
}

/* Only write(2): this runs in signal handlers, where stdio may hold its lock. */
static void say(const char *words)
{
	size_t len = strlen(words);

	while (len > 0) {
		ssize_t n = write(STDERR_FILENO, words, len);
		if (n <= 0)
			return;
		words += n;
		len -= (size_t)n;
	}
}

static void say_number(unsigned n)
{
	char digits[12];
	size_t at = sizeof(digits);

	digits[--at] = 0;
	do {
		digits[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	say(digits + at);
}

static void ask_witnesses(void)
{
	if (speaking)
		return;
	speaking = 1;
	for (struct lp_witness *w = witnesses; w; w = w->next)
		w->tell(w->self, STDERR_FILENO);
}

_Noreturn void lp_assert_failed(const char *truth, const char *file, int line, const char *func)
{
	say("lpd " LPD_VERSION ": a bug: not true: ");
	say(truth);
	say("\n  in ");
	say(func);
	say(", ");
	say(file);
	say(":");
	say_number((unsigned)line);
	say("\n");
	ask_witnesses();
	abort();
}

static void on_signal(int number)
{
	if (!speaking) {
		say("lpd " LPD_VERSION ": died of signal ");
		say_number((unsigned)number);
		say("\n");
		ask_witnesses();
	}
	/* SA_RESETHAND has put the default back: this ends the process with the signal's own status. */
	raise(number);
}

void lp_assert_catch_signals(void)
{
	static const int deadly[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
	struct sigaction action = { .sa_handler = on_signal };

	action.sa_flags = (int)SA_RESETHAND;
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++)
		sigaction(deadly[i], &action, NULL);
}
