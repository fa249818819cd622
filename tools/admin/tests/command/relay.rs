//! What stands between the command and the engine, and denies.

use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

const DENIAL: &str = r#"{"__type":"com.amazon.coral.service#AccessDeniedException","message":"no"}"#;

/// An endpoint where everything is as at the engine's, but for one operation, which is denied.
pub(crate) fn denying(operation: &'static str, engine: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let engine = engine.strip_prefix("http://").unwrap().to_owned();
    thread::spawn(move || {
        for client in listener.incoming() {
            let engine = TcpStream::connect(&engine).unwrap();
            // Ends when one of them goes away.
            thread::spawn(move || relay(operation, client?, engine));
        }
    });
    endpoint
}

fn relay(operation: &str, client: TcpStream, engine: TcpStream) -> io::Result<()> {
    let (mut client, mut engine) = (BufReader::new(client), BufReader::new(engine));
    let target = format!("DynamoDB_20120810.{operation}\r\n");
    loop {
        let request = message(&mut client)?;
        let answer = if String::from_utf8_lossy(&request).contains(&target) {
            let head = "HTTP/1.1 400 Bad Request\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length";
            format!("{head}: {}\r\n\r\n{DENIAL}", DENIAL.len()).into_bytes()
        } else {
            engine.get_mut().write_all(&request)?;
            message(&mut engine)?
        };
        client.get_mut().write_all(&answer)?;
    }
}

/// Reads a request or an answer, whose body is as long as its head says.
fn message(from: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let (mut message, mut length) = (Vec::new(), 0);
    while !message.ends_with(b"\r\n\r\n") {
        let mut line = Vec::new();
        if from.read_until(b'\n', &mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(value) = String::from_utf8_lossy(&line).to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        message.append(&mut line);
    }
    from.take(length).read_to_end(&mut message)?;
    Ok(message)
}
