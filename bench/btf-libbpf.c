/* Nanoseconds of looking types up by name with libbpf: FILE ROUNDS NAME..., a line for each round, for bench/btf.py.
 * As crates/btf/examples/btf-speed.rs: parse, find the structs of all the names, find them again. */
#include <bpf/btf.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static char **names;
static int count;
static long sum;

static long now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

static long find(struct btf *btf)
{
	long start = now();
	for (int i = 0; i < count; i++) {
		int id = btf__find_by_name_kind(btf, names[i], BTF_KIND_STRUCT);
		if (id < 0) {
			fprintf(stderr, "no struct %s\n", names[i]);
			exit(1);
		}
		sum += id;
	}
	return now() - start;
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	names = argv + 3;
	count = argc - 3;
	for (int rounds = atoi(argv[2]); rounds > 0; rounds--) {
		long start = now();
		struct btf *btf = btf__parse(argv[1], NULL);
		if (!btf) {
			perror(argv[1]);
			return 1;
		}
		long parsed = now() - start, cold = find(btf), again = find(btf);
		printf("%ld %ld %ld %ld %ld\n", parsed, cold, again, find(btf), sum);
		btf__free(btf);
	}
	return 0;
}
