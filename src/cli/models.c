/* cli/models - `lpd models ...`: the models belong to lpd-runner, which is in the same folder; it takes over. */
#include <lpd/cli/command.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WORDS 64

/* Beside the running binary, wherever that was called from. */
static int runner_path(char *to, size_t cap)
{
	static const char name[] = "lpd-runner";
	ssize_t n = readlink("/proc/self/exe", to, cap - sizeof(name));
	char *slash;

	if (n <= 0)
		return -1;
	to[n] = 0;
	slash = strrchr(to, '/');
	if (!slash)
		return -1;
	memcpy(slash + 1, name, sizeof(name));
	return 0;
}

int lp_command_models(int argc, char *const *argv)
{
	char path[4096], me[] = "lpd-runner";
	char *words[WORDS + 2];
	int n = 0;

	if (argc > WORDS) {
		fprintf(stderr, "lpd models: too many words\n");
		return 1;
	}
	words[n++] = me;
	for (int i = 0; i < argc; i++)
		words[n++] = argv[i];
	words[n] = NULL;
	if (runner_path(path, sizeof(path)) == 0)
		execv(path, words);
	fprintf(stderr, "lpd models: lpd-runner cannot be started: %s\n", strerror(errno));
	return 1;
}
