/* lpd-media: reads and makes files of sound and video for lpd, in processes of its own. */
#include <stdio.h>
#include <string.h>

#include <lpd/base/err.h>
#include <lpd/base/str.h>
#include <lpd/io/sandbox.h>

#include "serve.h"
#include "video.h"

static const char usage[] =
	"usage: lpd-media -listen unix:PATH\n"
	"       lpd-media -version\n"
	"lpd starts this by itself; docs/pipelines.md says what for.\n";

static int serve_command(const char *listen)
{
	struct lp_err e;

	if (!lp_span_starts(lp_span(listen), "unix:")) {
		fputs("lpd-media: -listen takes unix:PATH\n", stderr);
		return 1;
	}
	if (!lp_sandbox_follow_parent())
		return 0;
	if (lp_serve(listen + strlen("unix:"), &e) != LP_OK)
		fprintf(stderr, "lpd-media: %s\n", lp_err_words(&e));
	return 1;
}

int main(int argc, char **argv)
{
	if (argc == 2 && (strcmp(argv[1], "-version") == 0 || strcmp(argv[1], "--version") == 0)) {
		const char *encoder = lp_video_encoder();

		printf("lpd-media " LPD_VERSION ", video by %s\n", encoder ? encoder : "no encoder");
		return 0;
	}
	if (argc == 3 && strcmp(argv[1], "-listen") == 0)
		return serve_command(argv[2]);
	fputs(usage, argc >= 2 && strstr(argv[1], "help") ? stdout : stderr);
	return argc >= 2 && strstr(argv[1], "help") ? 0 : 1;
}
