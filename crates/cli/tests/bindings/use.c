#include <arpa/inet.h>
#include <endian.h>
#include <stdio.h>
#include <string.h>

#include "torture_bpf.h"

static void hex(const void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		printf("%02x", ((const unsigned char *)p)[i]);
	printf("\n");
}

int main(void)
{
	struct flags f = { .kind = 1, .low = 5, .high = 17, .wide = 300, .more = 77, .tail = 3735928559u };
	hex(&f, sizeof f);
	struct wire_packed w = { .kind = 2, .len = htons(258), .seq = 3, .id = htobe64(4), .delta = -2 };
	hex(&w, sizeof w);
	struct wire v;
	memset(&v, 0, sizeof v);
	v.kind = 2, v.len = htons(258), v.seq = htonl(3), v.id = htobe64(4);
	hex(&v, sizeof v);
	struct bit_mix b;
	memset(&b, 0, sizeof b);
	b.a = 1, b.b = 1000000, b.c = 513, b.d = -11;
	hex(&b, sizeof b);
	struct packed_aligned a;
	memset(&a, 0, sizeof a);
	a.a = 1, a.b = 2, a.c = 3;
	hex(&a, sizeof a);
	return LIMIT == 100 && NEGATIVE == -7 && LARGEST == 18446744073709551615ULL && SMALLEST < 0 &&
		       VERDICT_REDIRECT == 4 && LEVEL_LOW == -1 && !strcmp(MAP_POINTS, "points") ?
		       0 :
		       1;
}
