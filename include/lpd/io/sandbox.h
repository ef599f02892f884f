/* io/sandbox - what a child of ours gives up before it reads anything from strangers.
 *
 * Each is given up for good, by this process and all that it starts.  What it has open it keeps. */
#ifndef LPD_IO_SANDBOX_H
#define LPD_IO_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>

/* End when the parent ends (PR_SET_PDEATHSIG); false: it has ended already. */
bool lp_sandbox_follow_parent(void);

/* At most so much of one resource (RLIMIT_...), if it is not less already. */
void lp_sandbox_limit(int resource, uint64_t most);
/* The same for memory (RLIMIT_AS); not where a sanitizer is built in, which maps terabytes. */
void lp_sandbox_limit_memory(uint64_t most);

/* No new privileges and no core files; before either of the two below. */
void lp_sandbox_begin(void);

/* Landlock: files can be read below these folders and in no other way touched.  False: this kernel has none. */
bool lp_sandbox_files(const char *const *folders, int n);

/* seccomp: these system calls fail with EPERM; or all but these do, which a sanitizer would not survive and so
 * says false.  False: this kernel or machine has none. */
bool lp_sandbox_refuse(const int *calls, int n);
bool lp_sandbox_only(const int *calls, int n);

#endif
