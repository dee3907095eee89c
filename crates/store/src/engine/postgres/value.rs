//! Values of PostgreSQL: what goes in, what comes out.

use bytes::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use crate::error::{StoreError, StoreResult};
use crate::sql::{Param, Row};

type Refused = Box<dyn std::error::Error + Sync + Send>;

/// A parameter in the form that the server's own idea of its type asks for.
#[derive(Debug)]
pub(super) struct Bound<'a>(pub(super) Param<'a>);

impl ToSql for Bound<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Refused> {
        match (self.0, ty) {
            (Param::Null, _) => Ok(IsNull::Yes),
            (Param::Int(number), &Type::INT8) => number.to_sql(ty, out),
            (Param::Int(number), &Type::INT4) => i32::try_from(number)?.to_sql(ty, out),
            (Param::Text(text), &Type::TEXT | &Type::VARCHAR) => text.to_sql(ty, out),
            (Param::Blob(bytes), &Type::BYTEA) => bytes.to_sql(ty, out),
            (_, wanted) => Err(format!("a parameter is not of the type {wanted}").into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// One row, read by column position.
pub(super) struct PostgresRow<'r>(pub(super) &'r tokio_postgres::Row);

impl PostgresRow<'_> {
    fn get<'r, T: tokio_postgres::types::FromSql<'r>>(&'r self, column: usize) -> StoreResult<Option<T>> {
        self.0.try_get(column).map_err(|_| wrong_type(column))
    }
}

impl Row for PostgresRow<'_> {
    fn opt_int(&self, column: usize) -> StoreResult<Option<i64>> {
        let kind = self.0.columns().get(column).map(tokio_postgres::Column::type_);
        match kind {
            Some(&Type::INT4) => Ok(self.get::<i32>(column)?.map(i64::from)),
            Some(&Type::BOOL) => Ok(self.get::<bool>(column)?.map(i64::from)),
            _ => self.get::<i64>(column),
        }
    }

    fn opt_text(&self, column: usize) -> StoreResult<Option<String>> {
        self.get(column)
    }

    fn opt_blob(&self, column: usize) -> StoreResult<Option<Vec<u8>>> {
        self.get(column)
    }
}

fn wrong_type(column: usize) -> StoreError {
    StoreError::corrupt(format!("column {column} holds a value of another type"))
}
