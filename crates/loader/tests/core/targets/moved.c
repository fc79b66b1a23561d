// Every field elsewhere.
enum color { RED = 1, GREEN = 12, BLUE = 17 };
enum huge { SMALL = 1, LARGE = 0x23456789ab };
typedef int number_t;
struct part { char pad[24]; unsigned long serial; int weight; };
struct widget {
	char pad[40];
	unsigned long gone;
	enum color color;
	struct { int x; int y; } at;
	union { int a; unsigned long b; };
	struct part parts[4];
	struct part *first;
	char name[16];
	int tilt : 6; unsigned int mode : 5, flag : 3;
	unsigned char small;
	short level;
	int id;
	unsigned long count;
	int tail[];
};

struct widget widget;
enum huge huge;
number_t number;
