/* The native half of Jvm.java: a client library behind the Java Native Interface. */
#include <jni.h>
#include <mysql.h>
#include <stdio.h>
#include <stdlib.h>

static jstring answer(JNIEnv *java, MYSQL *mysql, int failed)
{
    char text[64];
    if (failed)
        snprintf(text, sizeof text, "error %u", mysql_errno(mysql));
    else
        snprintf(text, sizeof text, "ok %lld", (long long)mysql_affected_rows(mysql));
    return (*java)->NewStringUTF(java, text);
}

JNIEXPORT jlong JNICALL Java_Jvm_open(JNIEnv *java, jclass class, jobjectArray words)
{
    (void)class;
    const char *w[5];
    for (int i = 0; i < 5; i++)
        w[i] = (*java)->GetStringUTFChars(java, (*java)->GetObjectArrayElement(java, words, i), NULL);
    MYSQL *mysql = mysql_init(NULL);
    if (mysql_real_connect(mysql, w[0], w[2], w[3], w[4], (unsigned)strtoul(w[1], NULL, 10), NULL, 0) == NULL) {
        fprintf(stderr, "%s\n", mysql_error(mysql));
        return 0;
    }
    return (jlong)mysql;
}

JNIEXPORT jstring JNICALL Java_Jvm_query(JNIEnv *java, jclass class, jlong handle, jstring sql)
{
    (void)class;
    MYSQL *mysql = (MYSQL *)handle;
    const char *text = (*java)->GetStringUTFChars(java, sql, NULL);
    int failed = mysql_query(mysql, text);
    (*java)->ReleaseStringUTFChars(java, sql, text);
    return answer(java, mysql, failed);
}

JNIEXPORT void JNICALL Java_Jvm_close(JNIEnv *java, jclass class, jlong handle)
{
    (void)java;
    (void)class;
    mysql_close((MYSQL *)handle);
}
