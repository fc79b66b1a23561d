// A field renamed: the flavour finds it.
enum color { RED = 1, GREEN = 2, BLUE = 7 };
enum huge { SMALL = 1, LARGE = 0x123456789a };
typedef int number_t;
struct part { int weight; unsigned long serial; };
struct widget {
	unsigned long total;
	int id;
	short level;
	unsigned char small;
	unsigned int flag : 3, mode : 5; int tilt : 6;
	char name[16];
	struct part *first;
	struct part parts[4];
	union { int a; unsigned long b; };
	struct { int x; int y; } at;
	enum color color;
	unsigned long gone;
	int tail[];
};

struct widget widget;
enum huge huge;
number_t number;
