/* runner/zip - one file out of a zip archive that lies in memory (a Python wheel is one).
 *
 * Stored and deflated entries; no zip64, no encryption, no several disks. */
#ifndef LPD_RUNNER_ZIP_H
#define LPD_RUNNER_ZIP_H

#include <lpd/base/err.h>
#include <lpd/base/scope.h>
#include <lpd/base/str.h>

struct lp_zip_want {
	struct lp_span archive;
	const char *name;	/* exactly */
	size_t limit;		/* bytes of the entry */
};

/* The entry, in the scope; its checksum was looked at.  LP_NOT_FOUND: no such entry; LP_TOO_LARGE: it says
 * that it is above the limit; LP_BAD_REQUEST: the archive is damaged. */
enum lp_code lp_zip_read(struct lp_scope *scope, struct lp_span *out, const struct lp_zip_want *want,
			 struct lp_err *e) LP_MUST_USE;

#endif
