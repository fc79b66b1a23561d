// Numbers of fewer bytes; what were bit-fields are none.
enum color { RED = 1, GREEN = 2, BLUE = 7 };
enum huge { SMALL = 1, LARGE = 0x123456789a };
typedef int number_t;
struct part { int weight; unsigned int serial; };
struct widget {
	unsigned int count;
	short id;
	short level;
	unsigned char small;
	unsigned char flag, mode; signed char tilt;
	char name[2];
	struct part *first;
	struct part parts[4];
	union { short a; unsigned int b; };
	struct { int x; int y; } at;
	enum color color;
	unsigned long gone;
	int tail[];
};

struct widget widget;
enum huge huge;
number_t number;
