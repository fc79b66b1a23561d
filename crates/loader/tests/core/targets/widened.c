// Numbers of more bytes, bit-fields of more bits.
enum color { RED = 1, GREEN = 2, BLUE = 7 };
enum huge { SMALL = 1, LARGE = 0x123456789a };
typedef int number_t;
struct part { long weight; unsigned long serial; };
struct widget {
	unsigned long count;
	long id;
	long level;
	unsigned long small;
	unsigned long flag : 13, mode : 35; long tilt : 20;
	char name[64];
	struct part *first;
	struct part parts[4];
	union { long a; unsigned long b; };
	struct { long x; long y; } at;
	enum color color;
	unsigned long gone;
	int tail[];
};

struct widget widget;
enum huge huge;
number_t number;
