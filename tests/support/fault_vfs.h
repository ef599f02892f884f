/* support/fault_vfs - a disk under SQLite that fails, fills up and loses power when a test says so.
 *
 * Open the store as "file:PATH?vfs=fault".  One at a time in a process; the threads of the store may use it. */
#ifndef FAULT_VFS_H
#define FAULT_VFS_H

#include <stdbool.h>
#include <stdint.h>

enum fault { FAULT_FULL, FAULT_IO };

void fault_vfs_open(void);
void fault_vfs_close(void);
void fault_vfs_for_all(void);		/* stores are on it also when they do not name it */

/* After so many more writes and syncs each of them fails, until healed. */
void fault_vfs_fail_after(int operations, enum fault fault);
void fault_vfs_heal(void);
int fault_vfs_operations(void);		/* writes and syncs done so far */

/* What would be found after the power went now, put into the folder: each file as its last sync left it, or, with
 * lucky, with everything that was written since. */
void fault_vfs_power_cut(const char *folder, bool lucky);
/* As disks really do it: of what was written since the last sync each sector of 512 bytes made it or did not, and a file
 * that grew has any of the lengths between.  The same seed is the same cut. */
void fault_vfs_torn_cut(const char *folder, uint64_t seed);

#endif
