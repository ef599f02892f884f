/* sim/sim_disk - the disk below io/spool, which fills up when a test says so.  (Below SQLite: fault_vfs.) */
#ifndef SIM_DISK_H
#define SIM_DISK_H

/* From now on so many more bytes can be written; -1: any number. */
void sim_disk_room(long long bytes);

#endif
