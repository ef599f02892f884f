/* base/assert - checks that stay on in production.
 *
 * A failed check is a bug of ours: it prints where, asks every registered witness to print what it
 * knows (io/task prints the live tasks with their trails), and aborts. */
#ifndef LPD_BASE_ASSERT_H
#define LPD_BASE_ASSERT_H

#define lp_assert(truth) ((truth) ? (void)0 : lp_assert_failed(#truth, __FILE__, __LINE__, __func__))

_Noreturn void lp_assert_failed(const char *truth, const char *file, int line, const char *func);

/* One who can say more when something is wrong.  The row belongs to its owner, who takes it out again.
 * Witnesses are process-wide, since a crash is: the list is the one global of lpd. */
struct lp_witness {
	void (*tell)(void *self, int fd);	/* write(2) only: it may run in a signal handler */
	void *self;
	struct lp_witness *next;
};

void lp_witness_add(struct lp_witness *witness);
void lp_witness_remove(struct lp_witness *witness);

/* Let SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT ask the witnesses too, then die of the signal. */
void lp_assert_catch_signals(void);

#endif
