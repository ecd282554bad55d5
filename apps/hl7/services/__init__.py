"""What can be done with HL7 messages: take them in, queue them, send them."""
