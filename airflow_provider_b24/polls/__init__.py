"""What a Bitrix24 poll is: its draft, its state, its names, its ballots and the rules that decide it."""
