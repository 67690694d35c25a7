/* The prepared statements of client.c. S is the number of one, 0 to 199.
 *
 *   prepare S SQL          ok | error …, on handle 0; what has the number S already is prepared anew
 *   prepare_on S SQL       the same with a new statement on handle S
 *   bind S                 ok: every parameter to a text of its own, which `set S I TEXT` changes; "-" is NULL
 *   integer S I            the parameter is bound as a number from now on
 *   point S I TEXT         the parameter is read from somewhere else from now on, as DBD::mysql does it: ok
 *   execute S              ok AFFECTED ID | rows (to be fetched) | error …
 *   store S                stored N | error …
 *   fetch S                row A|B | end | error …, into what was bound with the first result of all
 *   run S                  execute, store and fetch all: ok … | rows A|B;C|D | error …
 *   long S I N TEXT        sends a piece of long data, N times TEXT: ok | error …
 *   cursor S               rows come from a cursor of the server from now on: ok
 *   reset S, free S        ok | error …
 *   done S                 closed
 *   memory                 resident memory in KiB */

#define STATEMENTS HANDLES
#define PARAMETERS 8
#define TEXT 4096

struct statement {
    MYSQL_STMT *stmt;
    MYSQL_BIND parameters[PARAMETERS], columns[PARAMETERS];
    char texts[PARAMETERS][TEXT], results[PARAMETERS][TEXT];
    unsigned long lengths[PARAMETERS], result_lengths[PARAMETERS];
#ifdef LIBMARIADB
    my_bool nulls[PARAMETERS], result_nulls[PARAMETERS];
#else
    bool nulls[PARAMETERS], result_nulls[PARAMETERS];
#endif
    long long numbers[PARAMETERS];
    int results_bound;
};

static struct statement statements[STATEMENTS];

static void answer_statement_error(struct statement *s)
{
    printf("error %u %s %s\n", mysql_stmt_errno(s->stmt), mysql_stmt_sqlstate(s->stmt), mysql_stmt_error(s->stmt));
}

static void answer_statement(struct statement *s, int failed)
{
    if (failed)
        answer_statement_error(s);
    else
        printf("ok\n");
}

static void prepare(MYSQL *mysql, struct statement *s, const char *text)
{
    if (s->stmt == NULL)
        s->stmt = mysql_stmt_init(mysql);
    s->results_bound = 0;
    answer_statement(s, mysql_stmt_prepare(s->stmt, text, (unsigned long)strlen(text)));
}

static void prepare_on(MYSQL *mysql, struct statement *s, const char *text)
{
    if (s->stmt != NULL)
        mysql_stmt_close(s->stmt);
    s->stmt = NULL;
    prepare(mysql, s, text);
}

static void bind_parameters(struct statement *s)
{
    memset(s->parameters, 0, sizeof s->parameters);
    for (int i = 0; i < PARAMETERS; i++) {
        s->parameters[i].buffer_type = MYSQL_TYPE_STRING;
        s->parameters[i].buffer = s->texts[i];
        s->parameters[i].length = &s->lengths[i];
        s->parameters[i].is_null = &s->nulls[i];
    }
    answer_statement(s, mysql_stmt_bind_param(s->stmt, s->parameters));
}

static void bind_integer(struct statement *s, int i)
{
    s->parameters[i].buffer_type = MYSQL_TYPE_LONGLONG;
    s->parameters[i].buffer = &s->numbers[i];
    answer_statement(s, mysql_stmt_bind_param(s->stmt, s->parameters));
}

static void set(struct statement *s, int i, const char *text)
{
    s->nulls[i] = strcmp(text, "-") == 0;
    s->numbers[i] = atoll(text);
    strncpy(s->texts[i], text, TEXT - 1);
    s->lengths[i] = (unsigned long)strlen(s->texts[i]);
    printf("ok\n");
}

/* In the library's own array, without a call. The array that was bound stays as it was. */
static void point(struct statement *s, int i, const char *text)
{
    static char elsewhere[PARAMETERS][TEXT];
    static unsigned long lengths[PARAMETERS];
    strncpy(elsewhere[i], text, TEXT - 1);
    lengths[i] = (unsigned long)strlen(elsewhere[i]);
    s->stmt->params[i].buffer = elsewhere[i];
    s->stmt->params[i].length = &lengths[i];
    printf("ok\n");
}

/* 0, or answers with the error. */
static int execute(struct statement *s)
{
    if (mysql_stmt_execute(s->stmt) != 0) {
        answer_statement_error(s);
        return 1;
    }
    if (mysql_stmt_field_count(s->stmt) > 0 && !s->results_bound) {
        memset(s->columns, 0, sizeof s->columns);
        for (int i = 0; i < PARAMETERS; i++) {
            s->columns[i].buffer_type = MYSQL_TYPE_STRING;
            s->columns[i].buffer = s->results[i];
            s->columns[i].buffer_length = TEXT - 1;
            s->columns[i].length = &s->result_lengths[i];
            s->columns[i].is_null = &s->result_nulls[i];
        }
        mysql_stmt_bind_result(s->stmt, s->columns);
        s->results_bound = 1;
    }
    return 0;
}

static void answer_execution(struct statement *s)
{
    if (mysql_stmt_field_count(s->stmt) > 0)
        printf("rows\n");
    else
        printf("ok %lld %lld\n", (long long)mysql_stmt_affected_rows(s->stmt), (long long)mysql_stmt_insert_id(s->stmt));
}

static void print_row(struct statement *s)
{
    for (unsigned i = 0; i < mysql_stmt_field_count(s->stmt); i++)
        printf("%s%.*s", i ? "|" : "", s->result_nulls[i] ? 4 : (int)s->result_lengths[i],
               s->result_nulls[i] ? "NULL" : s->results[i]);
}

static void fetch(struct statement *s)
{
    int code = mysql_stmt_fetch(s->stmt);
    if (code == 0) {
        printf("row ");
        print_row(s);
        printf("\n");
    } else if (code == MYSQL_NO_DATA)
        printf("end\n");
    else
        answer_statement_error(s);
}

static void store(struct statement *s)
{
    if (mysql_stmt_store_result(s->stmt) != 0)
        answer_statement_error(s);
    else
        printf("stored %lld\n", (long long)mysql_stmt_num_rows(s->stmt));
}

static void run(struct statement *s)
{
    const char *between_rows = "";
    if (execute(s) != 0)
        return;
    if (mysql_stmt_field_count(s->stmt) == 0) {
        answer_execution(s);
        return;
    }
    if (mysql_stmt_store_result(s->stmt) != 0) {
        answer_statement_error(s);
        return;
    }
    printf("rows ");
    while (mysql_stmt_fetch(s->stmt) == 0) {
        printf("%s", between_rows);
        print_row(s);
        between_rows = ";";
    }
    printf("\n");
    mysql_stmt_free_result(s->stmt);
}

static void send_long(struct statement *s, int i, int times, const char *text)
{
    while (times-- > 0)
        if (mysql_stmt_send_long_data(s->stmt, (unsigned)i, text, (unsigned long)strlen(text)) != 0) {
            answer_statement_error(s);
            return;
        }
    printf("ok\n");
}

static void print_memory(void)
{
    char line[256];
    FILE *status = fopen("/proc/self/status", "r");
    while (status != NULL && fgets(line, sizeof line, status) != NULL)
        if (strncmp(line, "VmRSS:", 6) == 0)
            printf("%d\n", atoi(line + 6));
    fclose(status);
}

/* 0 if the command is none of these. */
static int obey_statement(MYSQL *of_handles, const char *command, const char *number, char *rest)
{
    struct statement *s = &statements[number ? atoi(number) % STATEMENTS : 0];
    unsigned long cursor = CURSOR_TYPE_READ_ONLY;
    if (strcmp(command, "prepare") == 0)
        prepare(of_handles, s, rest);
    else if (strcmp(command, "prepare_on") == 0)
        prepare_on(&of_handles[s - statements], s, rest);
    else if (strcmp(command, "bind") == 0)
        bind_parameters(s);
    else if (strcmp(command, "integer") == 0)
        bind_integer(s, atoi(rest));
    else if (strcmp(command, "set") == 0) {
        const char *index = strsep(&rest, " ");
        set(s, atoi(index), rest);
    } else if (strcmp(command, "point") == 0) {
        const char *index = strsep(&rest, " ");
        point(s, atoi(index), rest);
    } else if (strcmp(command, "execute") == 0) {
        if (execute(s) == 0)
            answer_execution(s);
    } else if (strcmp(command, "store") == 0)
        store(s);
    else if (strcmp(command, "fetch") == 0)
        fetch(s);
    else if (strcmp(command, "run") == 0)
        run(s);
    else if (strcmp(command, "long") == 0) {
        const char *index = strsep(&rest, " "), *times = strsep(&rest, " ");
        send_long(s, atoi(index), atoi(times), rest);
    } else if (strcmp(command, "cursor") == 0)
        answer_statement(s, mysql_stmt_attr_set(s->stmt, STMT_ATTR_CURSOR_TYPE, &cursor));
    else if (strcmp(command, "reset") == 0)
        answer_statement(s, mysql_stmt_reset(s->stmt));
    else if (strcmp(command, "free") == 0)
        answer_statement(s, mysql_stmt_free_result(s->stmt));
    else if (strcmp(command, "done") == 0) {
        mysql_stmt_close(s->stmt);
        s->stmt = NULL;
        printf("closed\n");
    } else if (strcmp(command, "memory") == 0)
        print_memory();
    else
        return 0;
    return 1;
}
