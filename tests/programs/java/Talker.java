import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Statement;

/** Talks to a server through JDBC: what is said is recorded on the way. Talker URL */
public class Talker {
    interface Step {
        void run() throws SQLException;
    }

    static void tried(Step step) {
        try {
            step.run();
        } catch (SQLException expected) {
            // Errors belong to the matter.
        }
    }

    static void all(Statement statement, boolean rows) throws SQLException {
        while (rows || statement.getUpdateCount() != -1) {
            if (rows) {
                var results = statement.getResultSet();
                while (results.next()) {
                    results.getString(1);
                }
            }
            rows = statement.getMoreResults();
        }
    }

    public static void main(String[] arguments) throws SQLException {
        try (Connection connection = DriverManager.getConnection(arguments[0])) {
            Statement statement = connection.createStatement();
            statement.execute("CREATE TEMPORARY TABLE t (id INT PRIMARY KEY, v VARCHAR(20))");
            tried(() -> all(statement, statement.execute("SELECT 1; DO 0; SELECT 2")));
            tried(() -> all(statement, statement.execute("nonsense")));
            tried(() -> all(statement, statement.execute("CALL two_results()")));
            connection.setAutoCommit(false);
            try (PreparedStatement insert = connection.prepareStatement("INSERT INTO t VALUES (?, ?)")) {
                for (int id = 0; id < 5; id++) {
                    insert.setInt(1, id);
                    insert.setString(2, "v" + id);
                    insert.addBatch();
                }
                insert.executeBatch();
            }
            connection.commit();
            try (PreparedStatement select = connection.prepareStatement("SELECT id, v FROM t WHERE id >= ?")) {
                for (int id = 0; id < 6; id += 2) {
                    select.setInt(1, id);
                    all(select, select.execute());
                }
                select.setFetchSize(2);
                select.setInt(1, 0);
                all(select, select.execute());
            }
            tried(() -> connection.prepareStatement("SELECT nonsense").execute());
            connection.rollback();
            connection.setAutoCommit(true);
            connection.setCatalog("shop");
            connection.isValid(1);
        }
    }
}
