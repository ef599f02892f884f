/* runner/models - the command `models`: what there is, and fetching it. */
#ifndef LPD_RUNNER_MODELS_H
#define LPD_RUNNER_MODELS_H

#include <lpd/base/scope.h>

/* argv: what follows "models".  The exit status. */
int lp_models_command(int argc, char **argv);

/* "models" below the data folder; dir NULL: $LP_DATA_DIR, else ~/.lpd. */
const char *lp_models_folder(struct lp_scope *scope, const char *data_dir);

#endif
