// Fields within anonymous members; other kinds of types in their place.
enum color { RED = 1, GREEN = 2, BLUE = 7 };
enum huge { SMALL = 1, LARGE = 0x123456789a };
typedef int number_t;
struct part { int weight; unsigned long serial; };
struct widget {
	union { struct { char pad[8]; unsigned long count; int id; }; long other; };
	struct { union { short level; unsigned char small; }; };
	unsigned int flag : 3, mode : 5;
	struct part first;
	int *name;
	struct part (*parts)[4];
	struct { struct { int x; }; int y; } at;
	struct part color;
	int tail[8];
};

struct widget widget;
enum huge huge;
number_t number;
