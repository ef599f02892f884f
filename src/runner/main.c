/* lpd-runner: runs models for lpd, in a process of its own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lpd/base/err.h>

#include "models.h"
#include "serve.h"

static const char usage[] =
	"usage: lpd-runner -listen unix:PATH|HOST:PORT [-dataDir FOLDER] [-threads N|auto] [-logLevel LEVEL]\n"
	"       lpd-runner models list [-dataDir FOLDER]\n"
	"       lpd-runner models fetch [NAME...|--all] [-dataDir FOLDER]\n"
	"       lpd-runner -version\n";

int main(int argc, char **argv)
{
	if (argc >= 2 && strcmp(argv[1], "models") == 0)
		return lp_models_command(argc - 2, argv + 2);
	if (argc == 2 && (strcmp(argv[1], "-version") == 0 || strcmp(argv[1], "--version") == 0)) {
		puts("lpd-runner " LPD_VERSION);
		return 0;
	}
	if (argc >= 2 && argv[1][0] == '-' && !strstr(argv[1], "help"))
		return lp_serve_command(argc - 1, argv + 1);
	fputs(usage, argc >= 2 && strstr(argv[1], "help") ? stdout : stderr);
	return argc >= 2 && strstr(argv[1], "help") ? 0 : 1;
}
