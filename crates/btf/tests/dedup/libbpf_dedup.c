// Merges BTF files as libbpf does and writes the deduplicated result: libbpf_dedup OUT IN...
#include <bpf/btf.h>
#include <stdio.h>
#include <stdlib.h>

static void fail(const char *what, const char *name)
{
	fprintf(stderr, "%s: %s\n", what, name);
	exit(1);
}

int main(int argc, char **argv)
{
	struct btf *all = btf__new_empty();
	for (int i = 2; i < argc; i++) {
		struct btf *one = btf__parse(argv[i], NULL);
		if (!one)
			fail("no BTF", argv[i]);
		if (btf__add_btf(all, one) < 0)
			fail("can't be added", argv[i]);
		btf__free(one);
	}
	unsigned before = btf__type_cnt(all);
	if (btf__dedup(all, NULL))
		fail("can't be deduplicated", argv[1]);
	unsigned size;
	const void *bytes = btf__raw_data(all, &size);
	FILE *f = fopen(argv[1], "w");
	if (!f || fwrite(bytes, 1, size, f) != size || fclose(f))
		fail("can't be written", argv[1]);
	printf("%u types of %u\n", btf__type_cnt(all), before);
	return 0;
}
