document.title += " of wood";
