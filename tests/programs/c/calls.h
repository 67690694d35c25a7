/* Calls of client.c beside statements. N is the number of a handle.
 *
 *   keep N SQL             kept | error …, a result stored whole, whose rows fetch_row gives
 *   next N                 rows … | ok AFFECTED | end | error …, the next result of a text
 *   only N SQL             the first result of a text and nothing behind it: as query
 *   errno N                the number of the handle's error
 *   stat N                 ok | error …
 *   kill N ID              ok | error …
 *   set_infile N           LOAD DATA LOCAL is fed by us from now on: "fed" for each file
 *   infile_calls           how often we were asked for such a file */

static int infile_calls;
static size_t infile_left;

static int infile_begin(void **pointer, const char *name, void *data)
{
    (void)name;
    *pointer = data;
    infile_calls++;
    infile_left = strlen("fed\n");
    return 0;
}

static int infile_read(void *pointer, char *buffer, unsigned length)
{
    size_t given = infile_left < length ? infile_left : length;
    (void)pointer;
    memcpy(buffer, "fed\n", given);
    infile_left -= given;
    return (int)given;
}

static void infile_end(void *pointer)
{
    (void)pointer;
}

static int infile_error(void *pointer, char *message, unsigned length)
{
    (void)pointer;
    snprintf(message, length, "cannot be read");
    return 2;
}

static void keep(MYSQL *mysql, const char *text)
{
    if (mysql_real_query(mysql, text, (unsigned long)strlen(text)) != 0
        || (streams[mysql - handles] = mysql_store_result(mysql)) == NULL)
        answer_error(mysql);
    else
        printf("kept\n");
}

static void next(MYSQL *mysql)
{
    int code = mysql_next_result(mysql);
    if (code > 0)
        answer_error(mysql);
    else if (code < 0)
        printf("end\n");
    else
        print_result(mysql);
}

static void only(MYSQL *mysql, const char *text)
{
    if (mysql_real_query(mysql, text, (unsigned long)strlen(text)) != 0)
        answer_error(mysql);
    else
        print_result(mysql);
}

static void print_stat(MYSQL *mysql)
{
    const char *told = mysql_stat(mysql);
    answer(mysql, told == NULL || mysql_errno(mysql) != 0);
}

/* 0 if the command is none of these. */
static int obey_call(MYSQL *mysql, const char *command, char *rest)
{
    if (strcmp(command, "keep") == 0)
        keep(mysql, rest);
    else if (strcmp(command, "next") == 0)
        next(mysql);
    else if (strcmp(command, "only") == 0)
        only(mysql, rest);
    else if (strcmp(command, "errno") == 0)
        printf("%u\n", mysql_errno(mysql));
    else if (strcmp(command, "stat") == 0)
        print_stat(mysql);
    else if (strcmp(command, "kill") == 0)
        answer(mysql, mysql_kill(mysql, strtoul(rest, NULL, 10)));
    else if (strcmp(command, "set_infile") == 0) {
        mysql_set_local_infile_handler(mysql, infile_begin, infile_read, infile_end, infile_error, NULL);
        printf("ok\n");
    } else if (strcmp(command, "infile_calls") == 0)
        printf("%d\n", infile_calls);
    else
        return 0;
    return 1;
}
